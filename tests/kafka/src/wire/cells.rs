//! The protocol's primitive types.

/// Writes them.
#[derive(Debug, Default)]
pub(super) struct Cells(Vec<u8>);

impl Cells {
    pub(super) fn i8(&mut self, value: i8) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(super) fn i16(&mut self, value: i16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(super) fn i32(&mut self, value: i32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(super) fn i64(&mut self, value: i64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(super) fn string(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            None => self.i16(-1),
            Some(text) => self.text(text.as_bytes()),
        }
    }

    /// A text that need not be UTF-8.
    pub(super) fn text(&mut self, text: &[u8]) -> &mut Self {
        self.i16(i16::try_from(text.len()).expect("a short text")).raw(text)
    }

    pub(super) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.i32(length(value)).raw(value)
    }

    /// Zigzag, then seven bits a byte, the lowest first.
    pub(super) fn varint(&mut self, value: i64) -> &mut Self {
        let mut left = ((value << 1) ^ (value >> 63)).cast_unsigned();
        loop {
            let bits = left.to_le_bytes()[0] & 0x7f;
            left >>= 7;
            if left == 0 {
                return self.raw(&[bits]);
            }
            self.raw(&[bits | 0x80]);
        }
    }

    /// Bytes behind a varint of their length, -1 for none.
    pub(super) fn varbytes(&mut self, value: Option<&[u8]>) -> &mut Self {
        match value {
            None => self.varint(-1),
            Some(value) => self.varint(length(value).into()).raw(value),
        }
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

/// A length as the protocol has it.
pub(super) fn length<T>(items: &[T]) -> i32 {
    i32::try_from(items.len()).expect("less than 2 GiB")
}

/// Reads them.
#[derive(Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, left) = self.0.split_at_checked(count).ok_or_else(|| format!("{count} bytes are not there"))?;
        self.0 = left;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| "unequal lengths".to_owned())
    }

    pub(super) fn i8(&mut self) -> Result<i8, String> {
        self.array().map(i8::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Result<i16, String> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, String> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, String> {
        self.array().map(i64::from_be_bytes)
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], String> {
        let length = self.i16()?;
        self.take(usize::try_from(length).unwrap_or(0))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], String> {
        let length = self.i32()?;
        self.take(usize::try_from(length).unwrap_or(0))
    }

    pub(super) fn varint(&mut self) -> Result<i64, String> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.i8()?.cast_unsigned();
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        Err("a number of more than 64 bits".to_owned())
    }

    pub(super) fn varbytes(&mut self) -> Result<Option<&'a [u8]>, String> {
        match usize::try_from(self.varint()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cells, Reader};

    #[test]
    fn varints_are_as_the_protocol_has_them() {
        for (value, bytes) in [
            (0, &[0][..]),
            (-1, &[1]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 1]),
            (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] {
            let mut cells = Cells::default();
            assert_eq!(cells.varint(value).as_slice(), bytes);
            assert_eq!(Reader::new(bytes).varint(), Ok(value));
        }
        assert!(Reader::new(&[0xff; 11]).varint().is_err());
        assert!(Reader::new(&[0x80]).varint().is_err());
    }
}
