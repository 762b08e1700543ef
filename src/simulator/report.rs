//! The report of a simulation: one HTML file with a table of all systems, and plots of each.
//!
//! Needs nothing but itself: no script, no font, no picture from elsewhere. Knows no clock and no chance: the same season
//! gives the same bytes.

mod axes;
mod plots;

use std::io;

use plotters::drawing::DrawingAreaErrorKind;
use thiserror::Error;

use super::season::{Season, SystemSeason, Tally};

/// The look; it also turns the colours of the plots into those of the palette.
const STYLE: &str = include_str!("report/style.css");
/// An over-run beyond this stands out, seconds of the gateway.
const LATE_S: f64 = 1.0;
/// Heads of the table, and their units.
const COLUMNS: [(&str, &str); 11] = [
    ("Water asked", "L"),
    ("Water delivered", "L"),
    ("Worst over&#8209;run", "s"),
    ("Wrong answers", ""),
    ("Under stress", "days"),
    ("Percolation lost", "mm"),
    ("Commands sent", ""),
    ("Refused", ""),
    ("Repeated", ""),
    ("Duplicates absorbed", ""),
    ("Unanswered", ""),
];

/// Why there is no report.
#[derive(Debug, Error)]
pub enum ReportError {
    #[error("a plot cannot be drawn")]
    Plot(#[from] DrawingAreaErrorKind<io::Error>),
}

/// The season as an HTML file.
///
/// # Errors
/// [`ReportError`].
pub fn html(season: &Season) -> Result<String, ReportError> {
    let mut page = head(season);
    page += &verdict(&season.systems);
    page += &table(&season.systems);
    for (number, system) in (1..).zip(&season.systems) {
        page += &section(season, number, system)?;
    }
    page += "</main>\n</body>\n</html>\n";
    Ok(page)
}

fn head(season: &Season) -> String {
    let scenario = escape(&season.scenario);
    let facts = [
        ("Seed", season.seed.to_string()),
        ("Climate", escape(&season.climate)),
        ("First day", escape(&season.start)),
        ("Days", short(season.days)),
        ("Speed", format!("{} ×", short(season.speed))),
        ("Systems", season.systems.len().to_string()),
    ]
    .map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n"))
    .concat();
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Simulation {scenario} · acequia</title>
<style>
{STYLE}</style>
</head>
<body>
<main>
<h1>Simulation {scenario}</h1>
<dl class="facts">
{facts}</dl>
"#
    )
}

/// Whether anything stands out, before any figure.
fn verdict(systems: &[SystemSeason]) -> String {
    let late = systems.iter().filter(|system| is_late(&system.tally));
    let late = late.count();
    let wrong = total(systems).wrong_answers;
    let mut lines = String::new();
    if late > 0 {
        let late = count(late as u64, "system");
        lines += &format!(
            "<p class=\"alarm\"><b>Late:</b> valves of {late} were open more than {LATE_S} s beyond their run.</p>\n"
        );
    }
    if wrong > 0 {
        let wrong = count(wrong, "answer");
        lines +=
            &format!("<p class=\"alarm\"><b>Wrong:</b> {wrong} should not have been given.</p>\n");
    }
    if lines.is_empty() {
        lines = format!(
            "<p class=\"fine\">No valve was open more than {LATE_S} s beyond its run, and no answer was wrong.</p>\n"
        );
    }
    lines
}

fn table(systems: &[SystemSeason]) -> String {
    let heads = COLUMNS
        .map(|(name, unit)| format!("<th scope=\"col\">{name} <small>{unit}</small></th>\n"))
        .concat();
    let mut rows = String::new();
    for (number, system) in (1..).zip(systems) {
        let (name, id) = names(system);
        let label = format!("<a href=\"#system-{number}\">{name}</a>{id}");
        rows += &row(&label, &system.tally);
    }
    let total = row("Total", &total(systems));
    format!(
        r#"<h2>All systems</h2>
<div class="wide" role="region" aria-label="All systems" tabindex="0">
<table>
<thead>
<tr>
<th scope="col">System</th>
{heads}</tr>
</thead>
<tbody>
{rows}</tbody>
<tfoot>
{total}</tfoot>
</table>
</div>
<p class="note">Seconds are those of the gateway, days those of the simulation. In the total, the over-run is the worst of
all systems and the percolation is their mean.</p>
"#
    )
}

fn row(label: &str, tally: &Tally) -> String {
    let late = if is_late(tally) { "late" } else { "" };
    let wrong = if tally.wrong_answers > 0 { "wrong" } else { "" };
    let whole = |number: u64| grouped(&number.to_string());
    let cells = [
        ("", decimal(tally.asked_l, 1)),
        ("", decimal(tally.delivered_l, 1)),
        (late, decimal(tally.worst_over_run_s, 2)),
        (wrong, whole(tally.wrong_answers)),
        ("", whole(tally.stress_days.into())),
        ("", decimal(tally.percolation_mm, 1)),
        ("", whole(tally.commands)),
        ("", whole(tally.refused)),
        ("", whole(tally.repeated)),
        ("", whole(tally.absorbed)),
        ("", whole(tally.unanswered)),
    ]
    .map(|(mark, figure)| match mark {
        "" => format!("<td>{figure}</td>"),
        word => format!("<td class=\"alarm\"><b>{word}</b> {figure}</td>"),
    })
    .concat();
    format!("<tr><th scope=\"row\">{label}</th>{cells}</tr>\n")
}

fn is_late(tally: &Tally) -> bool {
    tally.worst_over_run_s > LATE_S
}

/// Everything summed, but of the over-run the worst, and of the percolation, which is a depth, the mean.
fn total(systems: &[SystemSeason]) -> Tally {
    let mut total = Tally::default();
    for SystemSeason { tally, .. } in systems {
        total.asked_l += tally.asked_l;
        total.delivered_l += tally.delivered_l;
        total.worst_over_run_s = total.worst_over_run_s.max(tally.worst_over_run_s);
        total.stress_days += tally.stress_days;
        total.percolation_mm += tally.percolation_mm / systems.len() as f64;
        total.commands += tally.commands;
        total.repeated += tally.repeated;
        total.changed += tally.changed;
        total.unchanged += tally.unchanged;
        total.refused += tally.refused;
        total.unanswered += tally.unanswered;
        total.absorbed += tally.absorbed;
        total.wrong_answers += tally.wrong_answers;
    }
    total
}

fn section(season: &Season, number: usize, system: &SystemSeason) -> Result<String, ReportError> {
    let (name, id) = names(system);
    let controllers = match system.controllers.as_slice() {
        [] => "none".to_owned(),
        some => some.join(", "),
    };
    let parts = [
        ("Field", &system.field),
        ("Actuator", &system.actuator),
        ("Controllers", &controllers),
    ]
    .map(|(part, words)| format!("<div><dt>{part}</dt><dd>{}</dd></div>\n", escape(words)))
    .concat();
    let figures = plots::figures(season, system)?;
    Ok(format!(
        "<section id=\"system-{number}\">\n<h2>{name}{id}</h2>\n<dl class=\"facts\">\n{parts}</dl>\n{figures}</section>\n"
    ))
}

/// The name of a system, and its id where that is another.
fn names(system: &SystemSeason) -> (String, String) {
    let (name, id) = (escape(&system.name), escape(&system.id));
    if name.is_empty() || name == id {
        return (id, String::new());
    }
    (name, format!(" <small>{id}</small>"))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            other => escaped.push(other),
        }
    }
    escaped
}

/// As in `1 system`, `2 systems`.
fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(&number.to_string()))
}

/// With `places` decimals, but nothing is just `0`.
fn decimal(value: f64, places: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    grouped(&format!("{value:.places$}"))
}

/// With as many decimals as it has.
fn short(value: f64) -> String {
    grouped(&value.to_string())
}

/// A comma between thousands, as in `20,500.25`.
fn grouped(number: &str) -> String {
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let mut grouped = String::new();
    for (place, character) in whole.chars().rev().enumerate() {
        if place > 0 && place % 3 == 0 && character.is_ascii_digit() {
            grouped.insert(0, ',');
        }
        grouped.insert(0, character);
    }
    grouped + rest
}

#[cfg(test)]
mod tests;
