//! What goes wrong outside of retrial, on a real Kafka: a row each, with its outcome, its metric and its recovery.
//!
//! Each test prints its row on standard error; `README.md` beside this file is the table that the documentation shows, and
//! no row is told whose metric is not named there.

mod desk;
mod log;
mod meters;
mod row;
mod scene;
mod wait;

mod disk_full;
mod leader_moves;
mod metadata_of_others;
mod one_instance_id;
mod partitions_added;
mod proxy;
mod refused_writes;
mod revoked_rights;
mod silent_network;
mod topic_made_anew;
mod trio;
mod unclean_election;
