//! Settings changed one by one, and those of brokers.

use super::{
    admin::{Answer, Fault, ask, owned},
    code::accepted,
    topics::{list, settings},
};
use rdkafka::client::{Client, ClientContext};
use rdkafka_sys as sys;
use std::{
    collections::BTreeMap,
    ffi::{CStr, CString},
    time::Duration,
};

/// Settings to be set on one topic; its others stay.
#[derive(Clone, Copy, Debug)]
pub(in crate::broker::kafka) struct Altered<'a> {
    /// The topic.
    pub(in crate::broker::kafka) topic: &'a str,
    /// What to set.
    pub(in crate::broker::kafka) settings: &'a [(String, String)],
}

/// What a resource's settings came to.
type Each<T> = BTreeMap<String, Result<T, Fault>>;

struct Resource(*mut sys::rd_kafka_ConfigResource_t);

impl Resource {
    fn new(kind: sys::rd_kafka_ResourceType_t, name: &CStr) -> Result<Self, Fault> {
        // SAFETY: the name ends with NUL and is copied.
        let made = unsafe { sys::rd_kafka_ConfigResource_new(kind, name.as_ptr()) };
        if made.is_null() { Err(Fault::client(format!("no resource can be named {name:?}"))) } else { Ok(Self(made)) }
    }

    fn set(&self, name: &str, value: &str) -> Result<(), Fault> {
        let (name, value) = (c_text(name)?, c_text(value)?);
        let set = sys::rd_kafka_AlterConfigOpType_t::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET;
        // SAFETY: the resource lives, both texts end with NUL and are copied; the error is ours.
        let error =
            unsafe { sys::rd_kafka_ConfigResource_add_incremental_config(self.0, name.as_ptr(), set, value.as_ptr()) };
        accepted(error).map_err(|refusal| Fault::client(refusal.text))
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        // SAFETY: made above, destroyed once.
        unsafe { sys::rd_kafka_ConfigResource_destroy(self.0) };
    }
}

/// Sets settings of topics, each topic's all or none; each topic has its own result.
///
/// # Errors
/// The request as a whole got no good answer.
pub(in crate::broker::kafka) fn alter_settings<C: ClientContext>(
    client: &Client<C>,
    topics: &[Altered<'_>],
    limit: Duration,
) -> Result<Each<()>, Fault> {
    let mut resources = Vec::with_capacity(topics.len());
    for topic in topics {
        let name = c_text(topic.topic)?;
        let resource = Resource::new(sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC, &name)?;
        topic.settings.iter().try_for_each(|(name, value)| resource.set(name, value))?;
        resources.push(resource);
    }
    let mut handles: Vec<_> = resources.iter().map(|resource| resource.0).collect();
    let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS;
    let answer = ask(client, kind, limit, |client, options, queue| {
        // SAFETY: the resources are copied during the call.
        unsafe { sys::rd_kafka_IncrementalAlterConfigs(client, handles.as_mut_ptr(), handles.len(), options, queue) }
    })?;
    // SAFETY: the answer is of this kind, and its resources live as long as it.
    unsafe {
        let result = sys::rd_kafka_event_IncrementalAlterConfigs_result(answer.as_ptr());
        let each = |count| sys::rd_kafka_IncrementalAlterConfigs_result_resources(result, count).cast();
        Ok(results(&answer, each, |_| ()))
    }
}

/// The settings of one broker, as it knows them, defaults included.
///
/// # Errors
/// The broker gave no good answer, or refused.
pub(in crate::broker::kafka) fn describe_broker<C: ClientContext>(
    client: &Client<C>,
    broker: i32,
    limit: Duration,
) -> Result<BTreeMap<String, String>, Fault> {
    let name = c_text(&broker.to_string())?;
    let resource = Resource::new(sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_BROKER, &name)?;
    let mut handles = [resource.0];
    let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS;
    let answer = ask(client, kind, limit, |client, options, queue| {
        // SAFETY: the resource is copied during the call.
        unsafe { sys::rd_kafka_DescribeConfigs(client, handles.as_mut_ptr(), handles.len(), options, queue) }
    })?;
    // SAFETY: the answer is of this kind, and its resources live as long as it.
    let found = unsafe {
        let result = sys::rd_kafka_event_DescribeConfigs_result(answer.as_ptr());
        let each = |count| sys::rd_kafka_DescribeConfigs_result_resources(result, count).cast();
        results(&answer, each, |resource| settings(resource))
    };
    found.into_values().next().unwrap_or_else(|| Err(Fault::client("the answer names no broker")))
}

/// # Safety
/// What `get` returns is null or an array of as many resources as it counts, which live as long as the answer.
unsafe fn results<T>(
    _answer: &Answer,
    get: impl FnOnce(*mut usize) -> *mut *const sys::rd_kafka_ConfigResource_t,
    read: impl Fn(*const sys::rd_kafka_ConfigResource_t) -> T,
) -> Each<T> {
    // SAFETY: as promised by the caller; what belongs to a resource is copied.
    unsafe {
        let one = |&resource: &*const sys::rd_kafka_ConfigResource_t| {
            let error = sys::rd_kafka_ConfigResource_error(resource);
            let fault = Fault::from_code(error, sys::rd_kafka_ConfigResource_error_string(resource));
            (owned(sys::rd_kafka_ConfigResource_name(resource)), fault.map(|()| read(resource)))
        };
        list(get).iter().map(one).collect()
    }
}

fn c_text(text: &str) -> Result<CString, Fault> {
    CString::new(text).map_err(|_| Fault::client(format!("{text:?} contains NUL")))
}
