//! What this client's user may do, as brokers tell it, and the brokers and partitions that come with the same answers.

use super::{
    admin::{Answer, Fault, ask, owned},
    code::accepted,
    groups::whole,
    topics::list,
};
use crate::broker::kafka::rights::Operation;
use rdkafka::client::{Client, ClientContext};
use rdkafka_sys as sys;
use std::{collections::BTreeMap, ffi::CString, slice, time::Duration};

/// The brokers, and what the user may do with the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker::kafka) struct DescribedCluster {
    /// The ids of the brokers that are up.
    pub(in crate::broker::kafka) brokers: Vec<i32>,
    /// `None` where the broker does not tell.
    pub(in crate::broker::kafka) operations: Option<Vec<Operation>>,
}

/// Asks for the operations, too, and sends the request.
fn ask_with_operations<C: ClientContext>(
    client: &Client<C>,
    kind: sys::rd_kafka_admin_op_t,
    limit: Duration,
    send: impl FnOnce(*mut sys::rd_kafka_t, *const sys::rd_kafka_AdminOptions_t, *mut sys::rd_kafka_queue_t),
) -> Result<Answer, Fault> {
    let mut refused = None;
    let answer = ask(client, kind, limit, |client, options, queue| {
        // SAFETY: `ask` made the options for this request and hands them out before they are used; the error is ours.
        let error = unsafe { sys::rd_kafka_AdminOptions_set_include_authorized_operations(options.cast_mut(), 1) };
        refused = accepted(error).err();
        send(client, options, queue);
    })?;
    refused.map_or(Ok(answer), |refusal| Err(Fault::client(refusal.text)))
}

/// A list of operations that belongs to an answer.
///
/// # Safety
/// What `get` returns is null or an array of as many operations as it counts, which lives for the call.
unsafe fn operations(get: impl FnOnce(*mut usize) -> *const sys::rd_kafka_AclOperation_t) -> Option<Vec<Operation>> {
    let mut count = 0;
    let first = get(&raw mut count);
    if first.is_null() {
        return None;
    }
    // SAFETY: as promised by the caller. Read as numbers, which a C enum is: a newer broker's operation need not be one of
    // the bindings' enum.
    let numbers = unsafe { slice::from_raw_parts(first.cast::<i32>(), count) };
    Some(numbers.iter().map(|&number| Operation::from_number(number)).collect())
}

/// The cluster.
///
/// # Errors
/// The request got no good answer.
pub(in crate::broker::kafka) fn describe_cluster<C: ClientContext>(
    client: &Client<C>,
    limit: Duration,
) -> Result<DescribedCluster, Fault> {
    let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER;
    let answer = ask_with_operations(client, kind, limit, |client, options, queue| {
        // SAFETY: client, options and queue live for the call, which keeps none of the options.
        unsafe { sys::rd_kafka_DescribeCluster(client, options, queue) }
    })?;
    // SAFETY: the results live as long as the answer; all of them is copied before it ends.
    unsafe {
        let result = sys::rd_kafka_event_DescribeCluster_result(answer.as_ptr());
        let nodes = list(|count| sys::rd_kafka_DescribeCluster_result_nodes(result, count));
        Ok(DescribedCluster {
            brokers: nodes.iter().map(|&node| sys::rd_kafka_Node_id(node)).collect(),
            operations: operations(|count| sys::rd_kafka_DescribeCluster_result_authorized_operations(result, count)),
        })
    }
}

/// What the user may do with each of these topics; each has its own result.
///
/// # Errors
/// The request as a whole got no good answer.
#[expect(clippy::type_complexity, reason = "a result per topic within the result of the request")]
pub(in crate::broker::kafka) fn topic_operations<C: ClientContext>(
    client: &Client<C>,
    topics: &[&str],
    limit: Duration,
) -> Result<BTreeMap<String, Result<Option<Vec<Operation>>, Fault>>, Fault> {
    let names = topics.iter().map(|topic| c_text(topic)).collect::<Result<Vec<_>, _>>()?;
    let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    let answer = ask_with_operations(client, kind, limit, |client, options, queue| {
        // SAFETY: the names are copied into the collection, and that during the call.
        unsafe {
            let collection = sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            sys::rd_kafka_DescribeTopics(client, collection, options, queue);
            sys::rd_kafka_TopicCollection_destroy(collection);
        }
    })?;
    // SAFETY: the results live as long as the answer; all of them is copied before it ends.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(answer.as_ptr());
        let each = list(|count| sys::rd_kafka_DescribeTopics_result_topics(result, count));
        let one = |&topic: &*const sys::rd_kafka_TopicDescription_t| {
            let found = whole(sys::rd_kafka_TopicDescription_error(topic))
                .map(|()| operations(|count| sys::rd_kafka_TopicDescription_authorized_operations(topic, count)));
            (owned(sys::rd_kafka_TopicDescription_name(topic)), found)
        };
        Ok(each.iter().map(one).collect())
    }
}

/// What the user may do with a group.
///
/// # Errors
/// The request got no good answer, or the coordinator refused.
pub(in crate::broker::kafka) fn group_operations<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    limit: Duration,
) -> Result<Option<Vec<Operation>>, Fault> {
    let name = c_text(group)?;
    let mut names = [name.as_ptr()];
    let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    let answer = ask_with_operations(client, kind, limit, |client, options, queue| {
        // SAFETY: the name is copied during the call.
        unsafe { sys::rd_kafka_DescribeConsumerGroups(client, names.as_mut_ptr(), 1, options, queue) }
    })?;
    // SAFETY: the results live as long as the answer; all of them is copied before it ends.
    unsafe {
        let result = sys::rd_kafka_event_DescribeConsumerGroups_result(answer.as_ptr());
        let groups = list(|count| sys::rd_kafka_DescribeConsumerGroups_result_groups(result, count));
        let &group = groups.first().ok_or_else(|| Fault::client("the answer names no group"))?;
        whole(sys::rd_kafka_ConsumerGroupDescription_error(group))?;
        Ok(operations(|count| sys::rd_kafka_ConsumerGroupDescription_authorized_operations(group, count)))
    }
}

fn c_text(text: &str) -> Result<CString, Fault> {
    CString::new(text).map_err(|_| Fault::client(format!("{text:?} contains NUL")))
}
