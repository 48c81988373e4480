//! The promises of the design, each kept on a real Kafka, with real processes where a promise is about processes.
//!
//! A test here hires workers: this binary started again as a service of its own (see [`worker`]), so that it can be
//! killed, frozen and asked to stop. Their handlers write a journal, and the accounts are made from the journals and
//! from what lies in Kafka; nothing that a worker says of itself is believed.
//!
//! Each test prints one line with its figures.

mod accounts;
mod commit_text;
mod journal;
mod load;
mod orders;
mod probe;
mod process;
mod scene;
mod supervisor;
mod task;
mod wait;
mod worker;

mod new_group_protocol;
mod promise_10_other_groups_never_notice;
mod promise_1_nothing_is_lost;
mod promise_2_finished_work_is_not_redone;
mod promise_3_a_stuck_record_blocks_nobody;
mod promise_4_never_early;
mod promise_5_order_per_key;
mod promise_7_dead_letters_tell_why;
mod promise_7_the_record_that_kills_its_worker;
mod promise_8_attempts_survive;
mod promise_9_a_lost_owner_stays_silent;
