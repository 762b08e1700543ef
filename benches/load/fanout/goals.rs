//! The goals, all as ratios within one run.

use super::figures::{Figure, Results, ratio};
use super::server::Kind;
use super::{CLIENTS, ROOMS};

pub(crate) struct Goal {
    pub(crate) name: &'static str,
    figure: Figure,
    against: Kind,
    pub(crate) limit: f64,
    /// The least number of clients that it is about.
    from: usize,
}

pub(crate) const GOALS: [Goal; 5] = [
    Goal {
        name: "CPU per delivered message, to the floor",
        figure: Figure::Message,
        against: Kind::Floor,
        limit: 1.15,
        from: 0,
    },
    Goal {
        name: "CPU per delivered message, to Bun",
        figure: Figure::Message,
        against: Kind::Bun,
        limit: 0.85,
        from: 0,
    },
    Goal {
        name: "resident memory per client, to Bun",
        figure: Figure::Resident,
        against: Kind::Bun,
        limit: 0.95,
        from: 0,
    },
    Goal {
        name: "CPU per connect, to Bun",
        figure: Figure::Connect,
        against: Kind::Bun,
        limit: 0.8,
        from: 0,
    },
    Goal {
        name: "time to the last client, to the floor",
        figure: Figure::Last,
        against: Kind::Floor,
        limit: 1.2,
        from: 9000,
    },
];

impl Goal {
    /// The lines of the table: for each number of rooms, the ratio at each number of clients.
    pub(crate) fn lines(&self, results: &Results) -> impl Iterator<Item = String> {
        ROOMS.into_iter().map(move |rooms| {
            let mut line = format!("| {} | {rooms} | ≤ {} |", self.name, self.limit);
            for clients in CLIENTS {
                line.push_str(&self.said(results, clients, rooms));
            }
            line
        })
    }

    fn said(&self, results: &Results, clients: usize, rooms: usize) -> String {
        if clients < self.from {
            return " |".to_owned();
        }
        let ours = results.rounds(Kind::Acequia, clients, rooms);
        let others = results.rounds(self.against, clients, rooms);
        match ratio(ours, others, self.figure) {
            Some(ratio) if ratio <= self.limit => format!(" {ratio:.2} reached |"),
            Some(ratio) => format!(" {ratio:.2} missed |"),
            None => " not measured |".to_owned(),
        }
    }
}
