//! Lists of partitions with an offset each, and all that belongs to it.

use super::code::Code;
use rdkafka::bindings as rd;
use std::{
    ffi::{CStr, CString},
    marker::PhantomData,
    ptr::{self, NonNull},
};

/// A list of partitions with offsets, leader epochs and metadata. Metadata is bytes here: another tool's commit need
/// not be UTF-8, and the safe interface panics on it.
pub(in crate::broker::kafka) struct OffsetList {
    list: NonNull<rd::rd_kafka_topic_partition_list_t>,
}

// SAFETY: the list is plain memory with one owner.
unsafe impl Send for OffsetList {}

impl Drop for OffsetList {
    fn drop(&mut self) {
        // SAFETY: created by `new`, destroyed once.
        unsafe { rd::rd_kafka_topic_partition_list_destroy(self.list.as_ptr()) }
    }
}

impl OffsetList {
    /// An empty list with room for this many.
    pub(in crate::broker::kafka) fn new(room: usize) -> Self {
        // SAFETY: no precondition; librdkafka aborts the process when memory is out, it returns no null.
        let list = unsafe { rd::rd_kafka_topic_partition_list_new(i32::try_from(room).unwrap_or(0)) };
        Self { list: NonNull::new(list).expect("librdkafka returns a list or aborts") }
    }

    pub(super) fn as_ptr(&self) -> *mut rd::rd_kafka_topic_partition_list_t {
        self.list.as_ptr()
    }

    /// Adds a partition.
    pub(in crate::broker::kafka) fn add(&mut self, topic: &str, partition: i32, offset: i64) -> Added<'_> {
        // A topic name with a NUL is no topic name; cut there it is simply unknown to the broker.
        let topic = CString::new(topic).unwrap_or_default();
        // SAFETY: the list is ours, the name is copied by the call, and the element lives until the list changes,
        // which the borrow in `Added` prevents.
        let element = unsafe {
            let element = rd::rd_kafka_topic_partition_list_add(self.as_ptr(), topic.as_ptr(), partition);
            (*element).offset = offset;
            element
        };
        Added { element, list: PhantomData }
    }

    /// The partitions, in the list's order.
    pub(in crate::broker::kafka) fn iter(&self) -> impl Iterator<Item = Listed<'_>> {
        // SAFETY: the pointer is to our list, which stays while it is borrowed.
        unsafe { listed(self.as_ptr()) }
    }
}

/// A partition that was just added.
pub(in crate::broker::kafka) struct Added<'l> {
    element: *mut rd::rd_kafka_topic_partition_t,
    list: PhantomData<&'l mut OffsetList>,
}

impl Added<'_> {
    /// Sets the leader epoch of the record before the offset; −1 for unknown.
    pub(in crate::broker::kafka) fn leader_epoch(self, epoch: i32) -> Self {
        // SAFETY: the element is alive as long as `self`.
        unsafe { rd::rd_kafka_topic_partition_set_leader_epoch(self.element, epoch) };
        self
    }

    /// Sets the metadata to be committed beside the offset.
    pub(in crate::broker::kafka) fn metadata(self, metadata: &[u8]) {
        if metadata.is_empty() {
            return;
        }
        // SAFETY: the element is new, so no earlier metadata leaks. The list frees the block with the allocator that
        // `rd_kafka_mem_malloc` uses, which is why it is not a Rust allocation; it has room for the copy.
        unsafe {
            let block = rd::rd_kafka_mem_malloc(ptr::null_mut(), metadata.len());
            ptr::copy_nonoverlapping(metadata.as_ptr(), block.cast(), metadata.len());
            (*self.element).metadata = block;
            (*self.element).metadata_size = metadata.len();
        }
    }
}

/// One partition of a list.
pub(in crate::broker::kafka) struct Listed<'l> {
    element: *const rd::rd_kafka_topic_partition_t,
    list: PhantomData<&'l ()>,
}

impl<'l> Listed<'l> {
    /// The topic.
    pub(in crate::broker::kafka) fn topic(&self) -> &'l str {
        // SAFETY: the element is alive for 'l, and its name is a C string that it owns.
        let name = unsafe { CStr::from_ptr((*self.element).topic) };
        // Kafka's names are ASCII; the name of anything else is not worth a panic.
        name.to_str().unwrap_or_default()
    }

    /// The partition's number.
    pub(in crate::broker::kafka) fn partition(&self) -> i32 {
        // SAFETY: the element is alive for 'l.
        unsafe { (*self.element).partition }
    }

    /// The offset; `None` where it is none (nothing committed, unknown).
    pub(in crate::broker::kafka) fn offset(&self) -> Option<i64> {
        // SAFETY: the element is alive for 'l.
        Some(unsafe { (*self.element).offset }).filter(|&offset| offset >= 0)
    }

    /// The leader epoch, or −1.
    pub(in crate::broker::kafka) fn leader_epoch(&self) -> i32 {
        // SAFETY: the element is alive for 'l; the call reads only.
        unsafe { rd::rd_kafka_topic_partition_get_leader_epoch(self.element) }
    }

    /// The metadata, as the committer wrote it.
    pub(in crate::broker::kafka) fn metadata(&self) -> &'l [u8] {
        // SAFETY: the element is alive for 'l; pointer and size describe one block that it owns.
        unsafe {
            let (block, size) = ((*self.element).metadata, (*self.element).metadata_size);
            if block.is_null() { &[] } else { std::slice::from_raw_parts(block.cast(), size) }
        }
    }

    /// The partition's own error.
    pub(in crate::broker::kafka) fn error(&self) -> Code {
        // SAFETY: the element is alive for 'l. The field is read as the number it is in C, since it may hold a code
        // that the bindings' enum does not have.
        Code(unsafe { ptr::addr_of!((*self.element).err).cast::<i32>().read() })
    }
}

/// The partitions of a list that somebody else owns.
///
/// # Safety
/// The list, or null for none, must stay and not change for `'l`.
pub(super) unsafe fn listed<'l>(list: *const rd::rd_kafka_topic_partition_list_t) -> impl Iterator<Item = Listed<'l>> {
    // SAFETY: the caller vouches for the list; `elems` has `cnt` elements.
    let (elements, count) = if list.is_null() { (ptr::null_mut(), 0) } else { unsafe { ((*list).elems, (*list).cnt) } };
    (0..usize::try_from(count).unwrap_or(0)).map(move |index| {
        // SAFETY: the index is below the count.
        Listed { element: unsafe { elements.add(index) }, list: PhantomData }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_read_back_also_metadata_that_is_not_text() {
        let mut list = OffsetList::new(1);
        list.add("orders", 3, 42).leader_epoch(7).metadata(b"\xff\x00x");
        list.add("orders", 4, -1001);
        let listed: Vec<_> = list.iter().collect();
        assert_eq!((listed[0].topic(), listed[0].partition(), listed[0].offset()), ("orders", 3, Some(42)));
        assert_eq!((listed[0].leader_epoch(), listed[0].metadata()), (7, &b"\xff\x00x"[..]));
        assert_eq!((listed[1].offset(), listed[1].leader_epoch(), listed[1].metadata()), (None, -1, &[][..]));
        assert!(listed[1].error().is_ok());
    }
}
