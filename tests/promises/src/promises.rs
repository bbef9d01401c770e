//! The promises of the README as tests, each in files of its name, every test on
//! every engine, written as an attacker or an unlucky network would.
//!
//! `support` holds what they share: a world with a clock and a store that can be made to
//! fail, wait and tell what it was asked.

mod support;

mod attacks_activity;
mod attacks_sessions;
mod attacks_sign_in;
mod attacks_store;
mod ended;
mod model;
mod model_steps;
mod nodes;
mod orders;
mod orders_rotation;
mod p10_crowd;
mod p10_honest;
mod p10_thief;
mod p12_secrets;
mod p1_races;
mod p1_revocation;
mod p2_updates;
mod p3_stolen_store;
mod p4_clock;
mod p4_limits;
mod p5_outage;
mod p6_kept;
mod p7_told_once;
mod p8_list;
mod p9_quiet;
mod retries;
mod same_verdict;
mod sign_in;
mod sign_in_crash;
mod standards;
