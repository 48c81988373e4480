//! Protobuf without types of Rust: by a descriptor set, as `protoc --include_imports --descriptor_set_out` writes it.

use crate::extract::ProtobufFrame;
use base64::{Engine, engine::general_purpose::STANDARD};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// Most bytes of a descriptor set: it is written down with an operation, and records of the control topic are small.
const MAX_SET_BYTES: usize = 256 * 1024;

/// A message type, with the descriptor set that says how to read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct ProtobufSchema {
    message: MessageDescriptor,
    set: Arc<[u8]>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    message: String,
    /// In Base64.
    descriptor_set: String,
}

impl ProtobufSchema {
    /// The message of this full name (`shop.Order`) in a descriptor set (a `google.protobuf.FileDescriptorSet` with its
    /// imports, 256 KiB at most).
    ///
    /// # Errors
    /// If the bytes are no such set, or the message is not in it.
    pub fn new(set: &[u8], message: &str) -> Result<Self, String> {
        if set.len() > MAX_SET_BYTES {
            return Err(format!("a descriptor set of {} bytes; {MAX_SET_BYTES} are the most", set.len()));
        }
        let pool = DescriptorPool::decode(set).map_err(|error| format!("no descriptor set: {error}"))?;
        let found = pool.get_message_by_name(message.trim_start_matches('.'));
        let message = found.ok_or_else(|| {
            let names: Vec<String> = pool.all_messages().take(20).map(|known| known.full_name().to_owned()).collect();
            format!("no message {message} in the descriptor set, which has {}", names.join(", "))
        })?;
        Ok(Self { message, set: set.into() })
    }

    /// The message in a body, with the names of fields as its schema has them, absent ones at their defaults, and numbers
    /// of 64 bits as numbers.
    pub(super) fn read(&self, body: &[u8]) -> Result<Value, String> {
        let (_, message) = ProtobufFrame::split(body).map_err(|error| error.to_string())?;
        let message = DynamicMessage::decode(self.message.clone(), message).map_err(|error| error.to_string())?;
        let options = SerializeOptions::new()
            .stringify_64_bit_integers(false)
            .use_proto_field_name(true)
            .skip_default_fields(false);
        message.serialize_with_options(serde_json::value::Serializer, &options).map_err(|error| error.to_string())
    }
}

impl From<ProtobufSchema> for Written {
    fn from(schema: ProtobufSchema) -> Self {
        Self { message: schema.message.full_name().to_owned(), descriptor_set: STANDARD.encode(&schema.set) }
    }
}

impl TryFrom<Written> for ProtobufSchema {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let set = STANDARD.decode(&written.descriptor_set).map_err(|error| error.to_string())?;
        Self::new(&set, &written.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::BodyFormat;
    use prost::Message as _;
    use prost_types::{
        DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
        field_descriptor_proto::{Label, Type},
    };
    use serde_json::json;

    fn field(name: &str, number: i32, kind: Type, of: Option<&str>) -> FieldDescriptorProto {
        FieldDescriptorProto {
            name: Some(name.to_owned()),
            number: Some(number),
            r#type: Some(kind.into()),
            type_name: of.map(str::to_owned),
            label: Some(Label::Optional.into()),
            ..FieldDescriptorProto::default()
        }
    }

    /// `message Order { uint64 order_id = 1; Customer customer = 2; bool paid = 3; } message Customer { int64 id = 1; }`
    fn set() -> Vec<u8> {
        let message =
            |name: &str, field| DescriptorProto { name: Some(name.to_owned()), field, ..DescriptorProto::default() };
        let file = FileDescriptorProto {
            name: Some("shop.proto".to_owned()),
            package: Some("shop".to_owned()),
            syntax: Some("proto3".to_owned()),
            message_type: vec![
                message(
                    "Order",
                    vec![
                        field("order_id", 1, Type::Uint64, None),
                        field("customer", 2, Type::Message, Some(".shop.Customer")),
                        field("paid", 3, Type::Bool, None),
                    ],
                ),
                message("Customer", vec![field("id", 1, Type::Int64, None)]),
            ],
            ..FileDescriptorProto::default()
        };
        FileDescriptorSet { file: vec![file] }.encode_to_vec()
    }

    const BODY: [u8; 6] = [8, 7, 0x12, 2, 8, 42];

    #[test]
    fn a_message_is_read_by_its_descriptor_plain_and_framed() {
        let format = BodyFormat::Protobuf(ProtobufSchema::new(&set(), "shop.Order").unwrap());
        let value = json!({"order_id": 7, "customer": {"id": 42}, "paid": false});
        assert_eq!(format.read(Some(&BODY)), Ok(value.clone()));
        assert_eq!(format.read(Some(&[&[0, 0, 0, 0, 1, 0], &BODY[..]].concat())), Ok(value));
        assert_eq!(format.read(None), Ok(Value::Null));
        assert!(format.meets(&[".customer.id == 42".parse().unwrap(), ".paid == false".parse().unwrap()], Some(&BODY)));
        for wrong in [&BODY[..5], &[0, 1], b"{\"order_id\":7}"] {
            assert!(format.read(Some(wrong)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_schema_that_is_written_down_reads_back() {
        let format = BodyFormat::Protobuf(ProtobufSchema::new(&set(), "shop.Order").unwrap());
        let text = serde_json::to_string(&format).unwrap();
        let again: BodyFormat = serde_json::from_str(&text).unwrap();
        assert_eq!(again.read(Some(&BODY)), format.read(Some(&BODY)));
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
    }

    #[test]
    fn what_is_no_schema_is_told_why() {
        let told = |set: &[u8], message| ProtobufSchema::new(set, message).unwrap_err();
        assert!(told(&set(), "Order").ends_with("which has shop.Order, shop.Customer"), "{}", told(&set(), "Order"));
        assert!(told(b"syntax = \"proto3\";", "shop.Order").starts_with("no descriptor set"));
        assert!(told(&vec![0; MAX_SET_BYTES + 1], "x").starts_with("a descriptor set of 262145 bytes"));
    }
}
