//! What an operator asks and does about a group: its members, and all that it has committed.

use super::{
    admin::{Fault, ask, owned},
    code::{Code, error_code, text},
    offsets::{Listed, OffsetList, listed},
    replies::Failed,
    topics::list,
};
use rdkafka::{
    client::{Client, ClientContext},
    types::RDKafkaErrorCode,
};
use rdkafka_sys as sys;
use std::{ffi::CString, ptr, time::Duration};

/// A member of a group, as its coordinator knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker::kafka) struct Described {
    /// Its id of this session.
    pub(in crate::broker::kafka) id: String,
    /// Its `group.instance.id`, if it has one.
    pub(in crate::broker::kafka) instance: Option<String>,
    /// Its `client.id`.
    pub(in crate::broker::kafka) client: String,
    /// Where it connects from.
    pub(in crate::broker::kafka) host: String,
    /// What it is assigned.
    pub(in crate::broker::kafka) partitions: Vec<(String, i32)>,
}

/// State and members of a group. One that nobody has heard of is `Dead` and has none.
///
/// # Errors
/// The request got no good answer, or the coordinator refused.
pub(in crate::broker::kafka) fn describe_group<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    limit: Duration,
) -> Result<(String, Vec<Described>), Fault> {
    let name = name(group)?;
    let mut names = [name.as_ptr()];
    let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    let answer = ask(client, kind, limit, |client, options, queue| {
        // SAFETY: the name is copied during the call.
        unsafe { sys::rd_kafka_DescribeConsumerGroups(client, names.as_mut_ptr(), 1, options, queue) }
    })?;
    // SAFETY: the results live as long as the answer; all of them is copied before it ends.
    unsafe {
        let result = sys::rd_kafka_event_DescribeConsumerGroups_result(answer.as_ptr());
        let groups = list(|count| sys::rd_kafka_DescribeConsumerGroups_result_groups(result, count));
        let &group = groups.first().ok_or_else(|| Fault::client("the answer names no group"))?;
        match whole(sys::rd_kafka_ConsumerGroupDescription_error(group)) {
            // Brokers from 4.0 on say it by an error, older ones by the state.
            Err(fault) if fault.code == RDKafkaErrorCode::GroupIdNotFound => {
                return Ok(("Dead".to_owned(), Vec::new()));
            }
            answered => answered?,
        }
        let state = sys::rd_kafka_consumer_group_state_name(sys::rd_kafka_ConsumerGroupDescription_state(group));
        let count = sys::rd_kafka_ConsumerGroupDescription_member_count(group);
        let members = (0..count).map(|index| member(sys::rd_kafka_ConsumerGroupDescription_member(group, index)));
        Ok((text(state).unwrap_or_default(), members.collect()))
    }
}

/// # Safety
/// `member` lives for the call.
unsafe fn member(member: *const sys::rd_kafka_MemberDescription_t) -> Described {
    // SAFETY: as promised by the caller; what belongs to the member is copied. A member without an assignment has a
    // null one, and a null list has no partitions.
    unsafe {
        let assignment = sys::rd_kafka_MemberDescription_assignment(member);
        let partitions =
            if assignment.is_null() { ptr::null() } else { sys::rd_kafka_MemberAssignment_partitions(assignment) };
        Described {
            id: text(sys::rd_kafka_MemberDescription_consumer_id(member)).unwrap_or_default(),
            instance: text(sys::rd_kafka_MemberDescription_group_instance_id(member)),
            client: text(sys::rd_kafka_MemberDescription_client_id(member)).unwrap_or_default(),
            host: text(sys::rd_kafka_MemberDescription_host(member)).unwrap_or_default(),
            partitions: listed(partitions).map(|one| (one.topic().to_owned(), one.partition())).collect(),
        }
    }
}

/// Hands each partition that a group has committed to `take`.
///
/// # Errors
/// The request got no good answer, or the coordinator refused.
pub(in crate::broker::kafka) fn list_offsets<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    limit: Duration,
    mut take: impl FnMut(Listed<'_>),
) -> Result<(), Fault> {
    let name = name(group)?;
    // SAFETY: the name is copied; a null list means every partition.
    let mut request = unsafe { sys::rd_kafka_ListConsumerGroupOffsets_new(name.as_ptr(), ptr::null()) };
    let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
    let answer = ask(client, kind, limit, |client, options, queue| {
        // SAFETY: the request is copied during the call.
        unsafe { sys::rd_kafka_ListConsumerGroupOffsets(client, &raw mut request, 1, options, queue) }
    });
    // SAFETY: made above, destroyed once.
    unsafe { sys::rd_kafka_ListConsumerGroupOffsets_destroy(request) };
    let answer = answer?;
    // SAFETY: the results live as long as the answer.
    unsafe {
        let result = sys::rd_kafka_event_ListConsumerGroupOffsets_result(answer.as_ptr());
        for &group in list(|count| sys::rd_kafka_ListConsumerGroupOffsets_result_groups(result, count)) {
            whole(sys::rd_kafka_group_result_error(group))?;
            listed(sys::rd_kafka_group_result_partitions(group)).for_each(&mut take);
        }
    }
    Ok(())
}

/// Writes offsets, with metadata, for a group that has no members; returns the partitions that were refused.
///
/// # Errors
/// The request got no good answer, or the coordinator refused all of it.
pub(in crate::broker::kafka) fn alter_offsets<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    offsets: &OffsetList,
    limit: Duration,
) -> Result<Vec<Failed>, Fault> {
    let name = name(group)?;
    // SAFETY: name and list are copied.
    let mut request = unsafe { sys::rd_kafka_AlterConsumerGroupOffsets_new(name.as_ptr(), offsets.as_ptr()) };
    let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS;
    let answer = ask(client, kind, limit, |client, options, queue| {
        // SAFETY: the request is copied during the call.
        unsafe { sys::rd_kafka_AlterConsumerGroupOffsets(client, &raw mut request, 1, options, queue) }
    });
    // SAFETY: made above, destroyed once.
    unsafe { sys::rd_kafka_AlterConsumerGroupOffsets_destroy(request) };
    let answer = answer?;
    let mut failed = Vec::new();
    // SAFETY: the results live as long as the answer.
    unsafe {
        let result = sys::rd_kafka_event_AlterConsumerGroupOffsets_result(answer.as_ptr());
        for &group in list(|count| sys::rd_kafka_AlterConsumerGroupOffsets_result_groups(result, count)) {
            whole(sys::rd_kafka_group_result_error(group))?;
            let refused = listed(sys::rd_kafka_group_result_partitions(group)).filter(|one| !one.error().is_ok());
            failed.extend(refused.map(|one| Failed {
                topic: one.topic().to_owned(),
                partition: one.partition(),
                code: one.error(),
            }));
        }
    }
    Ok(failed)
}

/// Success for a null error object, which stays with its owner.
///
/// # Safety
/// `error` is null or lives for the call.
pub(super) unsafe fn whole(error: *const sys::rd_kafka_error_t) -> Result<(), Fault> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: as promised by the caller; the text is copied.
    let (code, text) = unsafe { (Code(error_code(error.cast())), owned(sys::rd_kafka_error_string(error))) };
    if code.is_ok() {
        return Ok(());
    }
    let code = code.known().unwrap_or(RDKafkaErrorCode::Unknown);
    Err(Fault { code, text })
}

fn name(group: &str) -> Result<CString, Fault> {
    CString::new(group).map_err(|_| Fault::client(format!("{group:?} contains NUL")))
}
