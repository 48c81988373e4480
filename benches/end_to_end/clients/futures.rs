//! No Kafka: what the machine's timers allow. So many tasks as records are handled at once elsewhere, one wait after
//! another in each.

use crate::{body, child::Orders, desk::Desk, desk::Work};
use std::time::Duration;

pub(super) async fn run(orders: &Orders, desk: &'static Desk) {
    let Work::Sleeps(millis) = orders.work else { panic!("only waiting is measured without a Kafka") };
    let (records, tasks) = (orders.records, orders.concurrency as u64);
    let task = |first: u64| async move {
        let mut buffer = [0; 100];
        for number in (first..records).step_by(tasks as usize) {
            body::write(number, &mut buffer);
            tokio::time::sleep(Duration::from_millis(millis)).await;
            desk.handle(&buffer);
        }
    };
    let tasks: Vec<_> = (0..tasks.min(records)).map(|first| tokio::spawn(task(first))).collect();
    for task in tasks {
        task.await.expect("a task that ends");
    }
}
