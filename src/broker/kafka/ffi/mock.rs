//! The one setting of librdkafka's mock cluster that the safe bindings lack.

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
