//! The adapter on librdkafka's embedded mock cluster: real sockets, real groups, one cluster per test.

mod cluster;
mod member;

mod bounds;
mod commits;
mod groups;
mod records;
mod starts;
