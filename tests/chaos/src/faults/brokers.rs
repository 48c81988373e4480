//! Faults of brokers, one at a time: with three replicas of which two must be in sync, the cluster owes its promises as
//! long as one broker is away. So the next fault waits until every replica is in sync again.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use retrial_kafka_for_tests::{Broker, Kafka};

use super::{Chronicle, Fault, Kind, Subject};
use crate::clock;

/// How long a broker may take to be whole again after it was started.
const RECOVERY: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(200);

/// What will be done next, and for how long.
#[derive(Clone, Copy, Debug)]
struct Plan {
    rest: Duration,
    kind: Kind,
    victim: usize,
    lasts: Duration,
}

impl Plan {
    fn draw(random: &mut fastrand::Rng, brokers: usize) -> Self {
        let millis = |random: &mut fastrand::Rng, from, to| Duration::from_millis(random.u64(from..to));
        let rest = millis(random, 2_000, 9_000);
        let kind = match random.u32(0..100) {
            0..30 => Kind::BrokerKilled,
            30..55 => Kind::ControllerKilled,
            55..80 => Kind::BrokerFrozen,
            _ => Kind::BrokerStopped,
        };
        Self { rest, kind, victim: random.usize(0..brokers), lasts: millis(random, 500, 12_000) }
    }
}

/// Breaks brokers until `end` says something or is dropped, and leaves them whole.
///
/// # Errors
/// The cluster did not become whole again.
pub(crate) fn inject(kafka: &Kafka, seed: u64, chronicle: &Chronicle, end: &Receiver<()>) -> Result<(), String> {
    let mut random = fastrand::Rng::with_seed(seed ^ 0x0b40_ce45);
    loop {
        let plan = Plan::draw(&mut random, kafka.brokers().len());
        match end.recv_timeout(plan.rest) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        let controller = kafka.controller();
        let broker = match (plan.kind, controller) {
            (Kind::ControllerKilled, Some(id)) => kafka.broker(id),
            _ => &kafka.brokers()[plan.victim],
        };
        let kind = match plan.kind {
            Kind::BrokerKilled | Kind::ControllerKilled if controller == Some(broker.id()) => Kind::ControllerKilled,
            Kind::ControllerKilled => Kind::BrokerKilled,
            kind => kind,
        };
        let from = clock::now();
        break_one(kafka, broker, kind, plan.lasts, chronicle)?;
        chronicle.note(Fault { kind, subject: Subject::Broker(broker.id()), from, to: clock::now() });
    }
}

/// A fault from its beginning until the cluster is whole again.
fn break_one(kafka: &Kafka, broker: &Broker, kind: Kind, lasts: Duration, chronicle: &Chronicle) -> Result<(), String> {
    let (id, seconds) = (broker.id(), lasts.as_secs_f32());
    match kind {
        Kind::BrokerFrozen => {
            chronicle.say(&format!("broker {id}: SIGSTOP for {seconds:.1} s"));
            broker.pause();
            thread::sleep(lasts);
            broker.resume();
        }
        Kind::BrokerStopped => {
            chronicle.say(&format!("broker {id}: SIGTERM, and away for {seconds:.1} s"));
            broker.stop();
            thread::sleep(lasts);
            broker.start();
        }
        _ => {
            let role = if kind == Kind::ControllerKilled { ", the controller" } else { "" };
            chronicle.say(&format!("broker {id}{role}: SIGKILL, and away for {seconds:.1} s"));
            broker.kill();
            thread::sleep(lasts);
            broker.start();
        }
    }
    let back = Instant::now();
    while !kafka.is_whole() {
        if back.elapsed() > RECOVERY {
            return Err(format!("broker {id} is back, and after {RECOVERY:?} replicas are not in sync"));
        }
        thread::sleep(PAUSE);
    }
    chronicle.say(&format!("broker {id}: back, and in sync {:.1} s after that", back.elapsed().as_secs_f32()));
    Ok(())
}
