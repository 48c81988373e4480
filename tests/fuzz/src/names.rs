//! Names of topics: any text is refused or read as what would be written.
//!
//! The input is a text of up to three lines: group id, name of a topic, and `topic_prefix`.

use retrial_core::naming::{
    DelayError, GroupNames, MAX_STEM_BYTES, MAX_TIER_DELAY, MAX_TOPIC_BYTES, OwnTopic, parse_delay, spell_delay,
};
use std::time::Duration;

/// Panics if a name is read as something that has another name, or a name is written that Kafka refuses.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.splitn(3, '\n');
    let (group, topic, prefix) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default(), lines.next());
    delay_has_one_spelling(topic);
    delay_has_one_spelling(topic.rsplit('.').next().unwrap_or_default());
    match GroupNames::new(group, prefix) {
        Ok(names) => {
            assert_eq!((names.group(), names.stem()), (group, prefix.unwrap_or(group)));
            names_read_back(&names, topic);
            reads_its_own_only(&names, topic);
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
    }
}

fn name_of(names: &GroupNames, own: OwnTopic) -> Result<String, DelayError> {
    match own {
        OwnTopic::Tier(delay) => names.tier(delay),
        OwnTopic::DeadLetters => Ok(names.dead_letters()),
        OwnTopic::Control => Ok(names.control()),
    }
}

fn delay_has_one_spelling(text: &str) {
    if let Some(delay) = parse_delay(text) {
        assert!(delay <= MAX_TIER_DELAY);
        assert_eq!(spell_delay(delay).as_deref(), Ok(text));
    }
}

fn names_read_back(names: &GroupNames, salt: &str) {
    assert!(names.stem().len() <= MAX_STEM_BYTES);
    let seconds = salt.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let delay = Duration::from_secs(seconds % (MAX_TIER_DELAY.as_secs() + 1));
    for own in [OwnTopic::Tier(delay), OwnTopic::Tier(Duration::ZERO), OwnTopic::DeadLetters, OwnTopic::Control] {
        let name = name_of(names, own).expect("a delay that tiers may have");
        let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        assert!(letters && name.len() <= MAX_TOPIC_BYTES, "{name}");
        assert_eq!(names.parse(&name), Some(own), "{name}");
    }
    assert_eq!(names.way_back(), name_of(names, OwnTopic::Tier(Duration::ZERO)).expect("zero"));
}

/// A topic is one group's own: that of the stem before its last part, and of no shorter or longer one.
fn reads_its_own_only(names: &GroupNames, topic: &str) {
    let Some(own) = names.parse(topic) else { return };
    assert_eq!(name_of(names, own).as_deref(), Ok(topic));
    let others = topic.char_indices().map(|(at, _)| &topic[..at]).filter(|stem| *stem != names.stem());
    for other in others.filter_map(|stem| GroupNames::new(stem, None).ok()) {
        assert_eq!(other.parse(topic), None, "{topic} belongs to {} too", other.stem());
    }
}
