//! An ordinary record of another partition is asked for as a witness.

use crate::stage::{DONE, Deed, Place, Rec, Setup, Stage};
use retrial_core::{event::Work, outcome::Outcome, snapshot::Snapshot};

/// Its only record has crashed once alone.
const KILLER: Place = ("orders", 0);
const OTHER: Place = ("orders", 1);

fn stays(_: &Work<Rec>) -> Deed {
    Deed::Stays
}

/// A process that waits for a witness.
fn in_want_of_a_witness() -> Stage {
    let mut stage = Stage::empty(Setup { concurrency: 2, ..Setup::default() });
    stage.fill(KILLER, 1);
    stage.begin();
    stage.run_to_death(3, |_| Deed::Kills);
    stage
}

/// It is no suspect any more, and will be one again if this process vanishes.
#[test]
fn rule_8_a_witness_that_outlives_its_time_is_shown_as_started() {
    let mut stage = in_want_of_a_witness();
    stage.fill(OTHER, 1);
    stage.offer(OTHER);
    stage.run(8, stays);
    let [work] = &stage.running[..] else { panic!("{:?}", stage.running) };
    assert_eq!(work.ticket.slot, stage.slot(OTHER));
    let Snapshot { started_below, suspicion, .. } = stage.said(OTHER);
    assert_eq!((started_below, suspicion.marks.len()), (1, 0));
}

/// A record that is ready again while its partition is blocked is no witness, and runs once it is not blocked any more.
#[test]
fn rule_8_a_record_of_a_blocked_partition_is_no_witness_and_is_not_forgotten() {
    let said = in_want_of_a_witness().committed.remove(&KILLER).unwrap();
    let mut stage = Stage::empty(Setup { concurrency: 2, ..Setup::default() });
    stage.fill(OTHER, 2);
    stage.begin();
    stage.run(1, stays);
    stage.committed.insert(KILLER, said);
    stage.fill(KILLER, 1);
    stage.offer(KILLER);
    stage.run(3, stays);
    // One rests for a moment in the process; the other one's forward is refused, and that blocks the partition.
    stage.refuses = true;
    stage.turn(&mut |work| Deed::Ends(if work.record.0 == 1 { Outcome::retry("down") } else { Outcome::dead("no") }));
    stage.began.clear();
    stage.run(3, stays);
    assert_eq!(stage.began, [], "{:?}", stage.notices);
    stage.refuses = false;
    stage.run(8, |_| DONE);
    assert!(stage.done.contains(&1), "{:?}", stage.notices);
}

/// What ran beside it may have been what kept the process alive, or a crash may have been its fault.
#[test]
fn rule_8_a_suspect_that_survived_in_company_is_no_witness() {
    const LONG: Place = ("mails", 0);
    let said = in_want_of_a_witness().committed.remove(&KILLER).unwrap();
    let mut dead = Stage::empty(Setup { concurrency: 2, ..Setup::default() });
    dead.fill(OTHER, 1);
    dead.begin();
    dead.run(1, stays);
    let mut stage = Stage::empty(Setup { concurrency: 2, ..Setup::default() });
    stage.fill(LONG, 1);
    stage.begin();
    stage.run(1, stays);
    for (place, said) in [(KILLER, said), (OTHER, dead.committed.remove(&OTHER).unwrap())] {
        stage.committed.insert(place, said);
        stage.fill(place, 1);
        stage.offer(place);
    }
    let other = stage.slot(OTHER);
    stage.run(7, |work| if work.ticket.slot == other { DONE } else { Deed::Stays });
    assert_eq!((stage.tests(0), stage.done.len()), ((0, 1), 1), "it was tested in company, and survived");
    let suspicion = stage.said(KILLER).suspicion;
    assert_eq!(suspicion.marks.iter().map(|mark| mark.witnessed).collect::<Vec<_>>(), [false]);
}
