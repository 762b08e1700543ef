//! One binary for all tests that drive the gateway from outside: over real sockets, with real processes and real
//! foreign clients. A module per behaviour.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod actuator;
mod bad_input;
mod campaign;
mod churn;
mod clients;
mod cluster;
mod commands;
mod configuration;
mod console;
mod damage;
mod dice;
mod disk;
mod docs;
mod durability;
mod exhaustion;
mod faketime;
mod field;
mod fixture;
mod full_disk;
mod health;
mod lag;
mod legacy;
mod limits;
mod load;
mod machine;
mod microscope;
mod migrate;
mod migrate_faults;
mod migrate_refused;
mod nodes;
mod nodes_campaign;
mod nodes_faults;
mod nodes_losses;
mod nodes_openings;
mod nodes_time;
mod nodes_worlds;
mod power;
mod program;
mod retries;
mod rooms;
mod safety;
mod season;
mod sessions;
mod simulation;
mod stale;
mod steps;
mod store;
mod straight;
mod strangers;
mod ticks;
mod verdict;
mod wall_clock;
