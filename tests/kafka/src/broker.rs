//! One broker, and what a test may do to it.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{docker::DockerNode, java::JavaNode, ready};

/// A broker of a cluster.
pub struct Broker {
    id: i32,
    address: String,
    /// `None`: somebody else's, named by `RETRIAL_TEST_BOOTSTRAP`.
    node: Option<Mutex<Node>>,
}

/// What can be done to a broker.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Start,
    Stop,
    Kill,
    Pause,
    Resume,
}

/// What runs a broker.
pub(crate) enum Node {
    Java(JavaNode),
    Docker(DockerNode),
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("id", &self.id).field("address", &self.address).finish_non_exhaustive()
    }
}

impl Broker {
    pub(crate) fn own(id: i32, address: String, node: Node) -> Self {
        Self { id, address, node: Some(Mutex::new(node)) }
    }

    pub(crate) fn foreign(id: i32, address: String) -> Self {
        Self { id, address, node: None }
    }

    /// Its node id, from 1 in clusters that were started here.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// Where it answers, `host:port`; the same after a restart.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The id of its process, if it runs as one of this machine's.
    pub fn pid(&self) -> Option<u32> {
        match &*self.node() {
            Node::Java(node) => node.pid(),
            Node::Docker(_) => None,
        }
    }

    /// Where its second listener listens, if it has one ([`Guests`](crate::Guests)); guests may be sent elsewhere.
    pub fn guests(&self) -> Option<String> {
        match &*self.node() {
            Node::Java(node) => node.guests(),
            Node::Docker(_) => None,
        }
    }

    /// Whether it has ended, by itself or at the wish of the test.
    pub fn has_ended(&self) -> bool {
        self.failure().is_some()
    }

    /// SIGKILL: it is gone when this returns, with its data kept for [`start`](Self::start).
    pub fn kill(&self) {
        self.act(Action::Kill);
    }

    /// SIGTERM: it hands over its leaderships and ends. After 30 s it is killed: the last node of a quorum waits for a
    /// controller that is gone.
    pub fn stop(&self) {
        self.act(Action::Stop);
    }

    /// SIGSTOP: it holds its connections open and says nothing.
    pub fn pause(&self) {
        self.act(Action::Pause);
    }

    /// SIGCONT after a [`pause`](Self::pause).
    pub fn resume(&self) {
        self.act(Action::Resume);
    }

    /// Starts it again after [`kill`](Self::kill) or [`stop`](Self::stop), and waits until it answers.
    pub fn start(&self) {
        self.start_without_waiting();
        let ready = ready::wait(self, |cluster| cluster.contains(&self.id));
        ready.unwrap_or_else(|reason| panic!("broker {} did not come back: {reason}", self.id));
    }

    /// Starts it again, to be there some seconds later.
    pub fn start_without_waiting(&self) {
        self.act(Action::Start);
    }

    /// Why it ended, if it did.
    pub(crate) fn failure(&self) -> Option<String> {
        match &mut *self.node() {
            Node::Java(node) => node.failure(),
            Node::Docker(node) => node.failure(),
        }
    }

    fn act(&self, action: Action) {
        let done = match &mut *self.node() {
            Node::Java(node) => node.act(action),
            Node::Docker(node) => node.act(action),
        };
        done.unwrap_or_else(|reason| panic!("cannot {action:?} broker {}: {reason}", self.id));
    }

    fn node(&self) -> MutexGuard<'_, Node> {
        let node = self.node.as_ref();
        let node = node.unwrap_or_else(|| panic!("the broker at {} is not this test's to touch", self.address));
        node.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
