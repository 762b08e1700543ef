//! Seasons of dry-downs, rain and irrigation, and what is said of them.

use super::*;
use crate::simulator::season::{Opening, Sample};

/// A field that dries by 4 mm a day, is watered when it suffers, and sees rain now and then.
fn system(number: u32, days: u32) -> SystemSeason {
    let phase = f64::from(number);
    let mut depletion = 10.0 + phase;
    let (mut samples, mut openings) = (Vec::new(), Vec::new());
    for hour in 0..=days * 24 {
        let day = f64::from(hour) / 24.0;
        let (raw_mm, taw_mm) = (30.0 + day * 0.2, 60.0 + day * 0.4);
        let sun = (std::f64::consts::TAU * (day - 0.25)).sin().max(0.0);
        let rain_mm = match hour % 311 {
            40..46 => 2.5,
            _ => 0.0,
        };
        let irrigation_mm = if depletion > raw_mm + 1.0 { 20.0 } else { 0.0 };
        if irrigation_mm > 0.0 {
            openings.push(Opening {
                from: day,
                to: day + 0.05,
            });
        }
        depletion = (depletion + 0.5 * sun - rain_mm - irrigation_mm).max(0.0);
        let moisture = 0.33 - depletion / 500.0;
        let noise = (f64::from(hour * 7919 % 101) / 101.0 - 0.5) * 0.02;
        samples.push(Sample {
            day,
            depletion_mm: depletion,
            raw_mm,
            taw_mm,
            moisture,
            measured: (hour > 3).then_some(moisture + noise),
            rain_mm,
            irrigation_mm,
        });
    }
    SystemSeason {
        id: format!("field-{number}"),
        name: format!("Field {number}"),
        field: "loam, tomato".to_owned(),
        actuator: "valve that keeps its lease".to_owned(),
        controllers: vec!["by soil moisture".to_owned(), "at six".to_owned()],
        samples,
        openings,
        tally: Tally {
            asked_l: 12_345.25 + phase,
            delivered_l: 12_001.5,
            worst_over_run_s: 0.03,
            stress_days: 4,
            percolation_mm: 10.0 * phase,
            commands: 1_203,
            repeated: 17,
            changed: 900,
            unchanged: 300,
            refused: 3,
            unanswered: 2,
            absorbed: 16,
            wrong_answers: 0,
        },
    }
}

fn season(systems: u32, days: u32) -> Season {
    Season {
        scenario: "dry summer".to_owned(),
        seed: 42,
        climate: "Valencia".to_owned(),
        start: "2026-05-01".to_owned(),
        days: f64::from(days),
        speed: 86_400.0,
        systems: (1..=systems).map(|number| system(number, days)).collect(),
    }
}

fn of(systems: Vec<SystemSeason>) -> String {
    html(&Season {
        systems,
        ..season(0, 30)
    })
    .unwrap()
}

/// The cells of the row that begins with `label`, in which may be marks.
fn cells(page: &str, label: &str) -> Vec<String> {
    let mut rows = page.split("</tr>");
    let row = rows.find(|row| row.contains(label)).unwrap();
    let cells = row.split("<td").skip(1);
    cells
        .map(|cell| cell.split("</td>").next().unwrap())
        .map(|cell| cell.split_once('>').unwrap().1.to_owned())
        .collect()
}

/// Every tag that is opened is closed, in the right order; says how many there are.
fn balance(page: &str) -> usize {
    let page = page.strip_prefix("<!DOCTYPE html>").unwrap();
    let body = page.replacen(STYLE, "", 1);
    let (mut open, mut count) = (Vec::new(), 0);
    for piece in body.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap();
        assert!(!text.contains('>'), "a stray > after <{tag}>");
        let name = tag.split([' ', '\n']).next().unwrap();
        count += 1;
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') && name != "meta" {
            open.push(name);
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
    }
    assert_eq!(open, Vec::<&str>::new());
    count
}

#[test]
fn the_head_says_what_was_simulated() {
    let page = html(&season(2, 30)).unwrap();
    for fact in [
        "<h1>Simulation dry summer</h1>",
        "<dt>Seed</dt><dd>42</dd>",
        "<dt>Climate</dt><dd>Valencia</dd>",
        "<dt>First day</dt><dd>2026-05-01</dd>",
        "<dt>Days</dt><dd>30</dd>",
        "<dt>Speed</dt><dd>86,400 ×</dd>",
        "<dt>Systems</dt><dd>2</dd>",
        "<html lang=\"en\">",
    ] {
        assert!(page.contains(fact), "{fact}");
    }
}

#[test]
fn every_system_has_a_row_with_its_figures() {
    let page = html(&season(30, 2)).unwrap();
    for number in [1, 20, 21, 30] {
        let asked = format!("12,{}.2", 345 + number);
        let percolation = format!("{}.0", number * 10);
        let expected = [
            asked.as_str(),
            "12,001.5",
            "0.03",
            "0",
            "4",
            percolation.as_str(),
            "1,203",
            "3",
            "17",
            "16",
            "2",
        ];
        let id = format!("<small>field-{number}</small></th>");
        assert_eq!(cells(&page, &id), expected);
    }
    assert_eq!(page.matches("<th scope=\"row\">").count(), 31);
    assert_eq!(page.matches("<th scope=\"col\">").count(), 12);
}

#[test]
fn the_total_is_a_sum_but_of_over_run_and_percolation() {
    let mut systems = vec![system(1, 1), system(2, 1), system(3, 1)];
    systems[1].tally.worst_over_run_s = 0.5;
    let expected = [
        "37,041.8", "36,004.5", "0.50", "0", "12", "20.0", "3,609", "9", "51", "48", "6",
    ];
    assert_eq!(cells(&of(systems), "Total"), expected);
}

#[test]
fn nothing_is_shown_as_zero() {
    let idle = SystemSeason {
        id: "idle".to_owned(),
        ..SystemSeason::default()
    };
    assert_eq!(cells(&of(vec![idle]), "idle"), ["0"; 11]);
}

#[test]
fn what_stands_out_is_said_in_words() {
    let mut systems = vec![system(1, 1), system(2, 1), system(3, 1)];
    let page = of(systems.clone());
    assert!(page.contains("No valve was open more than 1 s beyond its run"));
    assert!(!page.contains("class=\"alarm\""));

    systems[0].tally.worst_over_run_s = 1.0;
    systems[1].tally.worst_over_run_s = 3.204;
    systems[2].tally.wrong_answers = 2;
    let page = of(systems);
    assert!(!page.contains("No valve was open more than"));
    assert!(page.contains("<b>Late:</b> valves of 1 system were"));
    assert!(page.contains("<b>Wrong:</b> 2 answers should"));
    assert_eq!(cells(&page, "field-1<")[2..4], ["1.00", "0"]);
    assert_eq!(cells(&page, "field-2<")[2..4], ["<b>late</b> 3.20", "0"]);
    assert_eq!(cells(&page, "field-3<")[2..4], ["0.03", "<b>wrong</b> 2"]);
    let total = ["<b>late</b> 3.20", "<b>wrong</b> 2"];
    assert_eq!(cells(&page, "Total")[2..4], total);
}

#[test]
fn no_text_is_taken_for_markup() {
    let hostile = "</style><script>alert(\"1\")</script> & 'co'";
    let escaped =
        "&lt;/style&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;co&#39;";
    let own = || hostile.to_owned();
    let page = html(&Season {
        scenario: own(),
        climate: own(),
        start: own(),
        systems: vec![SystemSeason {
            id: own(),
            name: own() + " too",
            field: own(),
            actuator: own(),
            controllers: vec![own(), own()],
            ..system(1, 2)
        }],
        ..season(0, 2)
    })
    .unwrap();
    assert!(!page.contains("<script"));
    // Of the season four, title and heading included; of the system its names in the table and in its section, and its parts.
    assert_eq!(page.matches(escaped).count(), 12);
    balance(&page);
}

#[test]
fn needs_nothing_but_itself() {
    let page = html(&season(2, 30)).unwrap();
    let page = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for foreign in ["http", "//", "url(", "@import", "<script", "<link", "src="] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

#[test]
fn every_plot_is_well_formed_and_named() {
    let page = html(&season(2, 30)).unwrap();
    assert!(balance(&page) > 500);
    assert_eq!(page.matches("<figure>").count(), 8);
    assert_eq!(page.matches("role=\"img\">\n<title>").count(), 8);
    for title in [
        "Depletion of the root zone, mm",
        "Rain and irrigation, mm per day",
        "Soil moisture, m³/m³",
        "Valve: opened 3 times, for 3.6 h in all",
    ] {
        assert!(page.contains(&format!("<title>{title}</title>")), "{title}");
    }
}

#[test]
fn every_colour_of_a_plot_is_one_of_the_palette() {
    let page = html(&season(1, 30)).unwrap();
    let mut coloured = 0;
    // All texts are of one colour, whatever stands in them.
    for element in page
        .split('<')
        .filter(|element| !element.starts_with("text"))
    {
        for attribute in ["fill", "stroke"] {
            if let Some((_, rest)) = element.split_once(&format!(" {attribute}=\"#")) {
                let colour = rest.split('"').next().unwrap();
                let rule = format!("[{attribute}=\"#{colour}\"] {{");
                assert!(STYLE.contains(&rule), "{rule}");
                coloured += 1;
            }
        }
    }
    assert!(coloured > 50, "{coloured}");
}

#[test]
fn a_season_without_samples_or_systems_has_a_report() {
    let page = html(&Season::default()).unwrap();
    balance(&page);
    assert_eq!(cells(&page, "Total"), ["0"; 11]);

    let page = of(vec![SystemSeason {
        samples: Vec::new(),
        ..system(1, 2)
    }]);
    balance(&page);
    assert!(page.contains("There are no samples of this system."));
    assert!(!page.contains("<figure>"));
}

#[test]
fn a_thousand_systems_are_in_the_table_and_each_is_plotted() {
    let page = html(&season(1_000, 2)).unwrap();
    balance(&page);
    assert_eq!(page.matches("<th scope=\"row\">").count(), 1_001);
    assert_eq!(page.matches("<section ").count(), 1_000);
    assert_eq!(page.matches("<figure>").count(), 4_000);
    assert!(page.len() < 50_000_000, "{} bytes", page.len());
}

#[test]
fn ten_systems_of_a_long_season_make_a_small_page() {
    let mut season = season(10, 120);
    for system in &mut season.systems {
        // Half an hour of water every other hour, and rain every day.
        system.openings = (0..60 * 24)
            .map(|number| f64::from(number) / 12.0)
            .map(|from| Opening {
                from,
                to: from + 1.0 / 48.0,
            })
            .collect();
        for sample in &mut system.samples {
            sample.rain_mm = 0.1;
            sample.irrigation_mm = 0.1;
        }
    }
    let page = html(&season).unwrap();
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
}

#[test]
fn the_same_season_gives_the_same_bytes() {
    assert_eq!(html(&season(3, 30)).unwrap(), html(&season(3, 30)).unwrap());
}
