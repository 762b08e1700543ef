//! What came of a season, as a table for people at a terminal.

use std::fmt::Write;

use super::season::{Season, SystemSeason};

/// No more violations than these are said one by one.
const MOST_SAID: usize = 20;

/// Titles of the columns.
const TITLES: [&str; 10] = [
    "system",
    "asked L",
    "delivered L",
    "over-run s",
    "stress days",
    "percolation mm",
    "commands",
    "refused",
    "repeated",
    "absorbed",
];

/// The table, a row for each system and one for all of them.
pub fn table(season: &Season) -> String {
    let mut rows = vec![TITLES.map(str::to_owned)];
    rows.extend(season.systems.iter().map(row));
    if season.systems.len() > 1 {
        rows.push(row(&all(season)));
    }
    let widths: Vec<usize> = (0..TITLES.len())
        .map(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        })
        .collect();
    let mut table = String::new();
    for row in &rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing to a string cannot fail.
            let _ = match column {
                0 => write!(table, "{cell:<width$}"),
                _ => write!(table, "  {cell:>width$}"),
            };
        }
        table.push('\n');
    }
    table
}

/// What must never happen and did, a line each; none if nothing did.
pub fn violations(violations: &[String]) -> Option<String> {
    let many = violations.len();
    if many == 0 {
        return None;
    }
    let mut text = format!("\nviolations: {many}\n");
    for what in violations.iter().take(MOST_SAID) {
        text = format!("{text}violation: {what}\n");
    }
    Some(text)
}

fn row(system: &SystemSeason) -> [String; 10] {
    let tally = &system.tally;
    [
        system.id.clone(),
        format!("{:.0}", tally.asked_l),
        format!("{:.0}", tally.delivered_l),
        format!("{:.1}", tally.worst_over_run_s),
        tally.stress_days.to_string(),
        format!("{:.1}", tally.percolation_mm),
        tally.commands.to_string(),
        tally.refused.to_string(),
        tally.repeated.to_string(),
        tally.absorbed.to_string(),
    ]
}

/// Sums, but for the over-run, which is the longest, and the percolation, which is the mean.
fn all(season: &Season) -> SystemSeason {
    let mut all = SystemSeason {
        id: "all".to_owned(),
        ..SystemSeason::default()
    };
    for tally in season.systems.iter().map(|system| &system.tally) {
        let sum = &mut all.tally;
        sum.asked_l += tally.asked_l;
        sum.delivered_l += tally.delivered_l;
        sum.worst_over_run_s = sum.worst_over_run_s.max(tally.worst_over_run_s);
        sum.stress_days += tally.stress_days;
        sum.percolation_mm += tally.percolation_mm / season.systems.len() as f64;
        sum.commands += tally.commands;
        sum.refused += tally.refused;
        sum.repeated += tally.repeated;
        sum.absorbed += tally.absorbed;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::season::Tally;

    fn system(id: &str, asked_l: f64, worst_over_run_s: f64) -> SystemSeason {
        SystemSeason {
            id: id.to_owned(),
            tally: Tally {
                asked_l,
                worst_over_run_s,
                commands: 3,
                ..Tally::default()
            },
            ..SystemSeason::default()
        }
    }

    #[test]
    fn columns_are_aligned_and_the_last_row_is_of_all() {
        let season = Season {
            systems: vec![system("north", 1000.4, 0.2), system("s", 20.0, 31.0)],
            ..Season::default()
        };
        let table = table(&season);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.len() == lines[0].len()));
        assert!(lines[1].starts_with("north      1000 "), "{}", lines[1]);
        assert!(lines[3].starts_with("all        1020 "), "{}", lines[3]);
        assert!(lines[3].contains(" 31.0 ") && lines[3].contains(" 6 "));
    }

    #[test]
    fn violations_are_counted_and_the_first_are_said() {
        assert_eq!(violations(&[]), None);
        let said = violations(&vec!["north: flooded".to_owned(); 30]).unwrap();
        assert!(said.starts_with("\nviolations: 30\nviolation: north: flooded\n"));
        assert_eq!(said.matches("violation: ").count(), MOST_SAID);
    }
}
