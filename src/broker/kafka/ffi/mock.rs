//! The settings of librdkafka's mock cluster that the safe bindings lack.

use rdkafka::{ClientContext, bindings as sys, client::Client};

/// Lets the first member of a group join at once instead of after 3 s. Returns false if the client was not made with
/// `test.mock.num.brokers` and so owns no mock cluster.
pub(in crate::broker::kafka) fn join_at_once<C: ClientContext>(client: &Client<C>) -> bool {
    // SAFETY: the client lives for the call and owns the cluster; the setting is taken under the cluster's lock.
    unsafe {
        let cluster = sys::rd_kafka_handle_mock_cluster(client.native_ptr());
        if !cluster.is_null() {
            sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
        }
        !cluster.is_null()
    }
}

/// The only broker of a mock cluster of one.
#[cfg(feature = "cli")]
const FIRST: i32 = 1;

/// Lets the first broker name this port of 127.0.0.1 as its own. Nothing happens if the client owns no mock cluster.
#[cfg(feature = "cli")]
pub(in crate::broker::kafka) fn advertise<C: ClientContext>(client: &Client<C>, port: u16) {
    // SAFETY: the client lives for the call and owns the cluster; the host is copied under the cluster's lock.
    unsafe {
        let cluster = sys::rd_kafka_handle_mock_cluster(client.native_ptr());
        if !cluster.is_null() {
            sys::rd_kafka_mock_broker_set_host_port(cluster, FIRST, c"127.0.0.1".as_ptr(), port.into());
        }
    }
}
