//! Topics made and described.

use super::admin::{Fault, ask, owned};
use rdkafka::client::{Client, ClientContext};
use rdkafka_sys as sys;
use std::{
    collections::{BTreeMap, HashMap},
    ffi::CString,
    ptr, slice,
    time::Duration,
};

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker::kafka) struct NewTopic<'a> {
    /// Its name.
    pub(in crate::broker::kafka) name: &'a str,
    /// How many partitions.
    pub(in crate::broker::kafka) partitions: i32,
    /// How many replicas.
    pub(in crate::broker::kafka) replicas: i32,
    /// Its settings.
    pub(in crate::broker::kafka) settings: &'a BTreeMap<String, String>,
}

struct NativeNewTopic(*mut sys::rd_kafka_NewTopic_t);

impl NativeNewTopic {
    fn new(topic: &NewTopic<'_>) -> Result<Self, Fault> {
        let text = |text: &str| CString::new(text).map_err(|_| Fault::client(format!("{text:?} contains NUL")));
        let name = text(topic.name)?;
        // SAFETY: all texts end with NUL and are copied.
        unsafe {
            let made = sys::rd_kafka_NewTopic_new(name.as_ptr(), topic.partitions, topic.replicas, ptr::null_mut(), 0);
            if made.is_null() {
                return Err(Fault::client(format!("{} with {} partitions", topic.name, topic.partitions)));
            }
            let made = Self(made);
            for (name, value) in topic.settings {
                sys::rd_kafka_NewTopic_set_config(made.0, text(name)?.as_ptr(), text(value)?.as_ptr());
            }
            Ok(made)
        }
    }
}

impl Drop for NativeNewTopic {
    fn drop(&mut self) {
        // SAFETY: made above, destroyed once.
        unsafe { sys::rd_kafka_NewTopic_destroy(self.0) };
    }
}

/// Makes topics; each has its own result.
///
/// # Errors
/// The request as a whole got no good answer.
pub(in crate::broker::kafka) fn create_topics<C: ClientContext>(
    client: &Client<C>,
    topics: &[NewTopic<'_>],
    limit: Duration,
) -> Result<BTreeMap<String, Result<(), Fault>>, Fault> {
    let made = topics.iter().map(NativeNewTopic::new).collect::<Result<Vec<_>, _>>()?;
    let mut handles: Vec<_> = made.iter().map(|topic| topic.0).collect();
    let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS;
    let answer = ask(client, kind, limit, |client, options, queue| {
        // SAFETY: the topics are copied during the call.
        unsafe { sys::rd_kafka_CreateTopics(client, handles.as_mut_ptr(), handles.len(), options, queue) }
    })?;
    // SAFETY: the results live as long as the answer; a null list is empty.
    unsafe {
        let result = sys::rd_kafka_event_CreateTopics_result(answer.as_ptr());
        let each = list(|count| sys::rd_kafka_CreateTopics_result_topics(result, count));
        let one = |&topic: &*const sys::rd_kafka_topic_result_t| {
            let error = sys::rd_kafka_topic_result_error(topic);
            let result = Fault::from_code(error, sys::rd_kafka_topic_result_error_string(topic));
            (owned(sys::rd_kafka_topic_result_name(topic)), result)
        };
        Ok(each.iter().map(one).collect())
    }
}

/// The settings of topics, defaults included; each topic has its own result.
///
/// # Errors
/// The request as a whole got no good answer.
#[expect(clippy::type_complexity, reason = "a result per topic within the result of the request")]
pub(in crate::broker::kafka) fn describe_settings<C: ClientContext>(
    client: &Client<C>,
    topics: &[&str],
    limit: Duration,
) -> Result<HashMap<String, Result<BTreeMap<String, String>, Fault>>, Fault> {
    let names = c_texts(topics)?;
    let resource = sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
    // SAFETY: the names are copied.
    let mut resources: Vec<_> =
        names.iter().map(|name| unsafe { sys::rd_kafka_ConfigResource_new(resource, name.as_ptr()) }).collect();
    let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS;
    let answer = ask(client, kind, limit, |client, options, queue| {
        // SAFETY: the resources are copied during the call.
        unsafe { sys::rd_kafka_DescribeConfigs(client, resources.as_mut_ptr(), resources.len(), options, queue) }
    });
    for &resource in &resources {
        // SAFETY: made above, destroyed once.
        unsafe { sys::rd_kafka_ConfigResource_destroy(resource) };
    }
    let answer = answer?;
    // SAFETY: the results live as long as the answer.
    unsafe {
        let result = sys::rd_kafka_event_DescribeConfigs_result(answer.as_ptr());
        let each = list(|count| sys::rd_kafka_DescribeConfigs_result_resources(result, count).cast());
        let one = |&topic: &*const sys::rd_kafka_ConfigResource_t| {
            let error = sys::rd_kafka_ConfigResource_error(topic);
            let fault = Fault::from_code(error, sys::rd_kafka_ConfigResource_error_string(topic));
            (owned(sys::rd_kafka_ConfigResource_name(topic)), fault.map(|()| settings(topic)))
        };
        Ok(each.iter().map(one).collect())
    }
}

/// # Safety
/// `topic` lives for the call.
pub(super) unsafe fn settings(topic: *const sys::rd_kafka_ConfigResource_t) -> BTreeMap<String, String> {
    // SAFETY: the entries live as long as the resource; a secret or missing value is null.
    unsafe {
        let entries = list(|count| sys::rd_kafka_ConfigResource_configs(topic, count));
        let one = |&entry: &*const sys::rd_kafka_ConfigEntry_t| {
            let value = sys::rd_kafka_ConfigEntry_value(entry);
            (!value.is_null()).then(|| (owned(sys::rd_kafka_ConfigEntry_name(entry)), owned(value)))
        };
        entries.iter().filter_map(one).collect()
    }
}

/// Identities of topics (KIP-516); a topic that does not exist, or a broker that has no identities, gives none.
///
/// # Errors
/// The request as a whole got no good answer.
pub(in crate::broker::kafka) fn topic_ids<C: ClientContext>(
    client: &Client<C>,
    topics: &[&str],
    limit: Duration,
) -> Result<HashMap<String, [u8; 16]>, Fault> {
    let names = c_texts(topics)?;
    let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    let answer = ask(client, kind, limit, |client, options, queue| {
        // SAFETY: the names are copied into the collection, and that during the call.
        unsafe {
            let collection = sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            sys::rd_kafka_DescribeTopics(client, collection, options, queue);
            sys::rd_kafka_TopicCollection_destroy(collection);
        }
    })?;
    // SAFETY: the results live as long as the answer.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(answer.as_ptr());
        let each = list(|count| sys::rd_kafka_DescribeTopics_result_topics(result, count));
        let one = |&topic: &*const sys::rd_kafka_TopicDescription_t| {
            let id = sys::rd_kafka_TopicDescription_topic_id(topic);
            let name = owned(sys::rd_kafka_TopicDescription_name(topic));
            (!id.is_null()).then(|| (name, uuid(id))).filter(|(_, id)| *id != [0; 16])
        };
        Ok(each.iter().filter_map(one).collect())
    }
}

/// # Safety
/// `id` lives for the call.
unsafe fn uuid(id: *const sys::rd_kafka_Uuid_t) -> [u8; 16] {
    let mut bytes = [0; 16];
    // SAFETY: as promised by the caller.
    let (high, low) =
        unsafe { (sys::rd_kafka_Uuid_most_significant_bits(id), sys::rd_kafka_Uuid_least_significant_bits(id)) };
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&low.to_be_bytes());
    bytes
}

fn c_texts(texts: &[&str]) -> Result<Vec<CString>, Fault> {
    let one = |text: &&str| CString::new(*text).map_err(|_| Fault::client(format!("{text:?} contains NUL")));
    texts.iter().map(one).collect()
}

/// A list of handles that librdkafka returns with its length.
///
/// # Safety
/// What `get` returns is null or an array of as many handles as it counts, which outlives `'a`.
pub(super) unsafe fn list<'a, T>(get: impl FnOnce(*mut usize) -> *mut *const T) -> &'a [*const T] {
    let mut count = 0;
    let first = get(&raw mut count);
    // SAFETY: as promised by the caller.
    if first.is_null() { &[] } else { unsafe { slice::from_raw_parts(first, count) } }
}
