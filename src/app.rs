//! An app: topics and their handlers, for one consumer group.

use crate::{
    error::{BuildError, Mistake, TopicMistake},
    handler::Callable,
    layer::{Around, SharedLayer},
    topic::{Bound, Handler, Registered, Settings},
};
use retrial_core::{
    ladder::Ladder,
    naming::{GroupNames, MAX_TOPIC_BYTES, is_topic_name},
};
use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

/// Most attempts of one topic that may run at once, and most threads of its own. Far above what a process can use: a
/// larger number is a slip of the pen.
const MAX_CONCURRENCY: usize = 1_000_000;
const MAX_THREADS: usize = 4_096;

/// Topics and their handlers, for one consumer group.
///
/// ```
/// use retrial::{App, Failure, Json, OnExhausted, Order, Retry, State, handler, hours, mins, secs};
///
/// #[derive(Clone)]
/// struct Bank;
/// # #[derive(serde::Deserialize)] struct Charge;
///
/// async fn charge(Json(charge): Json<Charge>, State(bank): State<Bank>) -> Result<(), Failure> {
///     # let _ = (charge, bank);
///     Ok(())
/// }
///
/// let app = App::group("billing")
///     .tiers([secs(30), mins(5), hours(1)])
///     .state(Bank)
///     .topic(
///         "orders",
///         handler(charge)
///             .retry(Retry::delays([secs(30), mins(5)]).then(hours(1), 24).in_place(2))
///             .order(Order::by_key(OnExhausted::Overtake))
///             .concurrency(2_000)
///             .timeout(secs(20)),
///     )
///     .build()?;
/// # let _ = app;
/// # Ok::<(), retrial::BuildError>(())
/// ```
///
/// An app is one group; several of them may run in one process.
#[must_use = "an app does nothing until it is built and run"]
pub struct App<S = ()> {
    group: String,
    prefix: Option<String>,
    tiers: Option<Vec<Duration>>,
    state: Arc<S>,
    layers: Vec<SharedLayer>,
    topics: Vec<Bound>,
}

impl App {
    /// The app of this consumer group. The group's own topics are named after it.
    pub fn group(group: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            prefix: None,
            tiers: None,
            state: Arc::new(()),
            layers: Vec::new(),
            topics: Vec::new(),
        }
    }

    /// Gives what handlers take as [`State`](crate::State), for the topics that follow. Topics whose handlers need no
    /// state may also come before it. Can be given once.
    pub fn state<S: Send + Sync + 'static>(self, state: S) -> App<S> {
        let Self { group, prefix, tiers, state: _, layers, topics } = self;
        App { group, prefix, tiers, state: Arc::new(state), layers, topics }
    }
}

impl<S: Send + Sync + 'static> App<S> {
    /// What the names of the group's own topics begin with, in place of the group id: for a group id that is no
    /// topic's name.
    pub fn topic_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// The tiers of the group: one delay topic each. Few and stable, since taking one away means draining it first.
    /// Default 5 s, 1 min, 10 min, 1 h, 6 h.
    pub fn tiers(mut self, delays: impl IntoIterator<Item = Duration>) -> Self {
        self.tiers = Some(delays.into_iter().collect());
        self
    }

    /// Handles the records of a topic.
    pub fn topic<C: Callable<S>>(mut self, name: impl Into<String>, handler: Handler<C>) -> Self {
        self.topics.push(handler.bind(name.into().into(), Arc::clone(&self.state)));
        self
    }

    /// Puts an async function around the handlers of all topics, also those given before it, and around their own
    /// layers. The first one given is the outermost.
    pub fn layer(mut self, layer: impl Around) -> Self {
        self.layers.push(Arc::new(layer));
        self
    }

    /// Checks everything.
    ///
    /// # Errors
    /// Every mistake there is, each with the topic and the setting.
    pub fn build(self) -> Result<HandlerSet, BuildError> {
        let Self { group, prefix, tiers, state: _, layers, topics } = self;
        let mut mistakes = Vec::new();
        let names = GroupNames::new(&group, prefix.as_deref()).map_err(|why| mistakes.push(Mistake::Group(why)));
        let ladder = tiers.map_or_else(|| Ok(Ladder::default()), Ladder::new);
        let ladder = ladder.map_err(|why| mistakes.push(Mistake::Tiers(why)));
        if topics.is_empty() {
            mistakes.push(Mistake::NoTopics);
        }
        let mut seen = HashSet::new();
        for bound in &topics {
            let name = check_name(&bound.topic, names.as_ref().ok(), !seen.insert(&bound.topic));
            let wrong = name.map(|why| ("name", why)).into_iter().chain(check_settings(&bound.settings));
            let topic = || bound.topic.chars().take(MAX_TOPIC_BYTES).collect();
            mistakes.extend(wrong.map(|(setting, why)| Mistake::Topic { topic: topic(), setting, why }));
        }
        match (names, ladder) {
            (Ok(names), Ok(ladder)) if mistakes.is_empty() => {
                let topics = topics.into_iter().map(|bound| bound.register(&layers)).collect();
                Ok(HandlerSet { names, ladder, topics })
            }
            _ => Err(BuildError::new(&group, mistakes)),
        }
    }
}

fn check_name(topic: &str, names: Option<&GroupNames>, twice: bool) -> Option<TopicMistake> {
    if !is_topic_name(topic) {
        return Some(TopicMistake::Name);
    }
    if let Some(own) = names.and_then(|names| names.parse(topic)) {
        return Some(TopicMistake::Own(own));
    }
    twice.then_some(TopicMistake::Twice)
}

/// What is wrong with a number of which there must be at least one.
fn check_count(given: usize, limit: usize) -> Option<TopicMistake> {
    match given {
        0 => Some(TopicMistake::Zero),
        _ if given > limit => Some(TopicMistake::TooMany { given, limit }),
        _ => None,
    }
}

/// Every wrong setting of a topic, by the name of the method that set it.
fn check_settings(settings: &Settings) -> impl Iterator<Item = (&'static str, TopicMistake)> {
    let Settings { concurrency, timeout, retry, threads, .. } = settings;
    let concurrency = check_count(*concurrency, MAX_CONCURRENCY).map(|why| ("concurrency", why));
    let timeout = timeout.is_some_and(|limit| limit.is_zero()).then_some(("timeout", TopicMistake::NoTime));
    let threads = threads.and_then(|threads| check_count(threads, MAX_THREADS)).map(|why| ("threads", why));
    let reversed = retry.backoff.max < retry.backoff.min;
    let backoff = reversed.then_some(("retry", TopicMistake::Reversed));
    [concurrency, timeout, threads, backoff].into_iter().flatten()
}

/// An app that was checked, ready to run.
#[derive(Clone)]
pub struct HandlerSet {
    /// The group and the names of its own topics.
    pub(crate) names: GroupNames,
    /// Its tiers.
    pub(crate) ladder: Ladder,
    /// Its topics, in the order they were given. None occurs twice.
    pub(crate) topics: Vec<Registered>,
}

impl HandlerSet {
    /// The consumer group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.names.group()
    }

    /// The source topics, in the order they were given.
    pub fn topics(&self) -> impl Iterator<Item = &str> + '_ {
        self.topics.iter().map(|registered| &*registered.topic)
    }
}

impl<S> fmt::Debug for App<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topics: Vec<_> = self.topics.iter().map(|bound| &bound.topic).collect();
        write!(f, "App({:?}, {topics:?})", self.group)
    }
}

impl fmt::Debug for HandlerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandlerSet({:?}, {:?})", self.group(), self.topics().collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        extract::{FromRef, State, testing::with_body},
        handler::testing::run,
        layer::Next,
        record::Record,
        retry::{Retry, secs},
        topic::{blocking, handler},
    };
    use retrial_core::{
        order::{OnExhausted, Order, RetryPolicy},
        outcome::Outcome,
        schedule::Schedule,
    };

    async fn nothing() {}

    #[derive(Clone)]
    struct Bank(&'static str);

    struct Shop {
        bank: Bank,
    }

    impl FromRef<Shop> for Bank {
        fn from_ref(shop: &Shop) -> Self {
            shop.bank.clone()
        }
    }

    async fn charge(State(bank): State<Bank>) -> Outcome {
        Outcome::Discard(bank.0.to_owned())
    }

    fn outcome(set: &HandlerSet, topic: usize) -> Outcome {
        run(&*set.topics[topic].handler, with_body(None))
    }

    #[test]
    fn handlers_get_the_state_and_parts_of_it() {
        let shop = Shop { bank: Bank("part") };
        let app = App::group("billing").topic("early", handler(nothing)).state(shop).topic("orders", handler(charge));
        let set = app.build().unwrap();
        assert_eq!((outcome(&set, 0), outcome(&set, 1)), (Outcome::Done, Outcome::Discard("part".to_owned())));
        let set = App::group("billing").state(Bank("whole")).topic("orders", handler(charge)).build().unwrap();
        assert_eq!(outcome(&set, 0), Outcome::Discard("whole".to_owned()));
    }

    #[test]
    fn who_sets_nothing_gets_the_defaults() {
        let set = App::group("billing").topic("orders", handler(nothing)).build().unwrap();
        let settings = &set.topics[0].settings;
        assert_eq!((settings.concurrency, settings.timeout, settings.threads), (100, Some(secs(60)), None));
        assert_eq!((&settings.order, &settings.retry), (&Order::Unordered, &RetryPolicy::default()));
        assert_eq!(set.ladder, Ladder::default());
        assert_eq!((set.group(), set.topics().collect::<Vec<_>>()), ("billing", vec!["orders"]));
    }

    #[test]
    fn what_is_set_reaches_the_runtime() {
        let orders = blocking(|| ())
            .retry(Retry::delays([secs(30)]).then(secs(60), 2).in_place(5).backoff(secs(1), secs(2)))
            .order(Order::by_key(OnExhausted::Hold))
            .concurrency(7)
            .timeout(secs(20))
            .threads(3);
        let slow = handler(nothing).without_timeout().retry(Retry::never());
        let app = App::group("billing").tiers([secs(30), secs(60)]).topic("orders", orders).topic("slow", slow);
        let set = app.build().unwrap();
        let Settings { concurrency, timeout, order, retry, threads } = &set.topics[0].settings;
        assert_eq!((*concurrency, *timeout, *threads), (7, Some(secs(20)), Some(3)));
        assert_eq!(*order, Order::by_key(OnExhausted::Hold));
        assert_eq!(retry.schedule, Schedule::delays([secs(30), secs(60), secs(60)]));
        assert_eq!((retry.in_place, retry.backoff.min, retry.backoff.max), (5, secs(1), secs(2)));
        assert_eq!(set.topics[1].settings.timeout, None);
        assert_eq!((set.topics[1].settings.retry.schedule.steps(), set.topics[1].settings.retry.in_place), (0, 0));
        assert_eq!(set.ladder.delays(), [secs(30), secs(60)]);
    }

    #[test]
    fn layers_of_the_app_are_around_those_of_the_topic_wherever_they_are_given() {
        async fn outer(record: Record, next: Next) -> Outcome {
            seen("outer", next.run(record).await)
        }
        async fn inner(record: Record, next: Next) -> Outcome {
            seen("inner", next.run(record).await)
        }
        fn seen(layer: &str, outcome: Outcome) -> Outcome {
            match outcome {
                Outcome::Discard(before) => Outcome::Discard(format!("{before} {layer}")),
                _ => Outcome::Discard(layer.to_owned()),
            }
        }
        let app = App::group("billing").topic("orders", handler(nothing).layer(inner)).layer(outer);
        let set = app.topic("other", handler(nothing)).build().unwrap();
        assert_eq!(outcome(&set, 0), Outcome::Discard("inner outer".to_owned()));
        assert_eq!(outcome(&set, 1), Outcome::Discard("outer".to_owned()));
    }

    #[test]
    fn every_mistake_is_told_with_topic_and_setting() {
        let wrong = handler(nothing).concurrency(0).timeout(secs(0)).threads(0);
        let error = App::group("billing")
            .tiers([secs(60), secs(30)])
            .topic("orders", wrong)
            .topic("orders", handler(nothing).concurrency(usize::MAX))
            .topic("billing.retry.5s", handler(nothing))
            .topic("no such name", handler(nothing).retry(Retry::default().backoff(secs(2), secs(1))))
            .build()
            .unwrap_err();
        let lines: Vec<String> = error.mistakes().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "tiers: tier 2 waits 30s, not longer than the 60s of the tier before it",
                "topic orders: concurrency: it must be at least 1",
                "topic orders: timeout: it must be longer than nothing; `.without_timeout()` sets no limit",
                "topic orders: threads: it must be at least 1",
                "topic orders: name: it has a handler already",
                "topic orders: concurrency: 18446744073709551615 is more than 1000000",
                "topic billing.retry.5s: name: this is one of the group's own topics (Tier(5s)), which the service reads \
                 by itself",
                "topic no such name: name: a topic's name has 1 to 249 of the characters A-Z a-z 0-9 . _ - and is not `.` \
                 or `..`",
                "topic no such name: retry: the longest pause is shorter than the shortest",
            ]
        );
        assert!(error.to_string().starts_with("the app of group \"billing\" cannot be built\n  tiers: "));
    }

    #[test]
    fn an_app_without_topics_or_with_a_group_that_names_none_is_refused() {
        let error = App::group("bills & more").build().unwrap_err();
        assert!(matches!(error.mistakes(), [Mistake::Group(_), Mistake::NoTopics]), "{error}");
        let app = App::group("bills & more").topic_prefix("bills").topic("orders", handler(nothing));
        assert_eq!(app.build().unwrap().group(), "bills & more");
    }
}
