//! Fields that dry and are watered, and everybody who asks a gateway for water.
//!
//! ```text
//! climate ─> weather ─> day ─> sky ─┬─> field ─> sensor ─> radio ─> senses ─> controller ─> call ─┐
//!     │                             │    │                            ▲                          │
//!     └─────────── fao56 ───────────┘    └── books, meter ────────────┘                       gateway
//!                                                                                                │
//!            plot: one system from end to end        field <─ irrigation <─ valve <─ actuator <──┘
//! ```
//!
//! - The physics (up to `senses`) knows neither a network, a clock nor the gateway: from numbers, and seeds of chance, to
//!   numbers. `controller` and `actuator` are state machines of the same kind.
//! - `plot` is told what time it is and what the gateway says, by a runner: it does not know which.
//! - `live` is the runner against a real gateway, in real time.
//! - `offline` is the runner of virtual time. Its gateway is `stand_in`: the engine itself. What comes of it is judged by
//!   `law` (the changes), `rules` (the valve) and `books` (the water), each written down apart from what it judges.
//! - `scenario` is what is simulated, `season` and `outcome` what remains of it, `summary` says that in a table, `report` in a page
//!   with plots.
//!
//! Only `stand_in`, `offline` and `law` know the engine and its types; `scenario` checks names as the gateway does.
//! Everything else knows the gateway only over the network: `api` over HTTP, `feed` over the raw websocket.

pub mod actuator;
pub mod api;
pub mod balance;
pub mod books;
pub mod call;
pub mod chance;
pub mod climate;
pub mod controller;
pub mod day;
pub mod fao56;
pub mod feed;
pub mod field;
pub mod irrigation;
pub mod law;
pub mod live;
pub mod meter;
pub mod number;
pub mod offline;
pub mod outcome;
pub mod pace;
pub mod plot;
pub mod radio;
pub mod report;
pub mod rules;
pub mod scenario;
pub mod season;
pub mod senses;
pub mod sensor;
pub mod sky;
pub mod stand_in;
pub mod summary;
pub mod trouble;
pub mod weather;

#[cfg(test)]
mod hourly_tests;
#[cfg(test)]
mod season_tests;
