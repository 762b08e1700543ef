//! The plots: each figure against the number of clients, one line for each server, one room. SVG, in `target/fanout/`;
//! `make bench-plots` takes them from there into docs/performance.
//!
//! Servers differ by colour and by the form of their marks: a line is known without its colour. Both axes grow by factors,
//! but for memory, which is in proportion and can be nothing.

use std::io;
use std::ops::Range;

use plotters::chart::ChartBuilder;
use plotters::coord::combinators::{BindKeyPoints, IntoLogRange};
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::{
    Color, EmptyElement, IntoDrawingArea, PathElement, Polygon, RGBColor, SVGBackend, ShapeStyle,
    Text,
};
use plotters::style::{IntoFont, WHITE};

use super::CLIENTS;
use super::figures::{Figure, Results, median};
use super::report::target;
use super::server::Kind;

const SIZE: (u32, u32) = (1080, 560);
/// What the plot takes of the width. The names of the servers have the rest.
const PLOT: u32 = 880;
const INK: RGBColor = RGBColor(0x1a, 0x1a, 0x1a);
const MESH: RGBColor = RGBColor(0xd8, 0xd8, 0xd8);
const TEXT: u32 = 18;

/// A figure, the name of its file, its title.
const PLOTS: [(Figure, &str, &str); 7] = [
    (Figure::Message, "message", "CPU per delivered message, µs"),
    (
        Figure::P50,
        "p50",
        "From the first client to the median client, ms",
    ),
    (
        Figure::P99,
        "p99",
        "From the first client to the 99th of 100, ms",
    ),
    (
        Figure::Last,
        "last",
        "From the first client to the last, ms",
    ),
    (Figure::Connect, "connect", "CPU per connect, µs"),
    (
        Figure::Resident,
        "resident",
        "Resident memory per client, KiB",
    ),
    (Figure::Kernel, "kernel", "Kernel memory per client, KiB"),
];

type Point = (f64, f64);
type Line = (Kind, Vec<Point>);
type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;

pub(crate) fn all(results: &Results) {
    let folder = target().join("fanout");
    std::fs::create_dir_all(&folder).unwrap();
    for (figure, name, title) in PLOTS {
        let lines: Vec<Line> = Kind::ALL
            .into_iter()
            .map(|kind| (kind, points(results, kind, figure)))
            .filter(|(_, points)| !points.is_empty())
            .collect();
        if !lines.is_empty() {
            let memory = matches!(figure, Figure::Resident | Figure::Kernel);
            let svg = svg(title, &lines, memory);
            std::fs::write(folder.join(name).with_extension("svg"), svg).unwrap();
        }
    }
}

fn points(results: &Results, kind: Kind, figure: Figure) -> Vec<Point> {
    let each = CLIENTS.into_iter().filter_map(|clients| {
        let rounds = results.rounds(kind, clients, 1);
        // What was measured with fewer clients has no place here.
        let held = rounds.iter().all(|one| one.held_all);
        let value = median(rounds, figure).filter(|_| held)?;
        Some((clients as f64, value))
    });
    each.collect()
}

fn svg(title: &str, lines: &[Line], in_proportion: bool) -> String {
    let values = lines
        .iter()
        .flat_map(|(_, points)| points.iter().map(|point| point.1));
    let (least, most) = values.fold((f64::MAX, f64::MIN), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    let mut svg = String::new();
    if in_proportion {
        draw(&mut svg, title, lines, least.min(0.0)..most * 1.1)
    } else {
        let range = least.max(0.01) * 0.8..most.max(0.02) * 1.25;
        let marks = one_two_five(&range);
        draw(
            &mut svg,
            title,
            lines,
            range.log_scale().with_key_points(marks),
        )
    }
    .unwrap();
    let named = format!(" role=\"img\">\n<title>{title}, against the number of clients</title>");
    svg.replacen('>', &named, 1)
}

fn draw<Y>(svg: &mut String, title: &str, lines: &[Line], y: Y) -> Drawn
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let x = (CLIENTS[0] as f64 * 0.9..CLIENTS[CLIENTS.len() - 1] as f64 * 1.1).log_scale();
    let text = ("sans-serif", TEXT).into_font().color(&INK);
    let (plot, legend) = area.split_horizontally(PLOT);
    let mut chart = ChartBuilder::on(&plot)
        .caption(title, ("sans-serif", TEXT + 4).into_font().color(&INK))
        .margin(12)
        .margin_right(24)
        .x_label_area_size(56)
        .y_label_area_size(72)
        .build_cartesian_2d(
            x.with_key_points(CLIENTS.map(|clients| clients as f64).to_vec()),
            y,
        )?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(MESH)
        .axis_style(INK)
        .label_style(text.clone())
        .x_desc("clients in one room")
        .x_label_formatter(&|clients| thousands(*clients))
        .y_label_formatter(&|value| value.to_string())
        .draw()?;
    for (kind, points) in lines {
        let (kind, colour) = (*kind, colour(*kind));
        let line = ShapeStyle::from(colour).stroke_width(2);
        chart.draw_series([PathElement::new(points.clone(), line)])?;
        chart.draw_series(
            points
                .iter()
                .map(|point| EmptyElement::at(*point) + form(kind)),
        )?;
    }
    for ((kind, _), row) in lines.iter().zip(1..) {
        let name = Text::new(kind.name(), (20, -9), text.clone());
        legend.draw(&(EmptyElement::at((16, 32 * row)) + form(*kind) + name))?;
    }
    area.present()
}

/// Each server has a form of its own, around the point of a line.
fn form(kind: Kind) -> Polygon<(i32, i32)> {
    const FAR: i32 = 9;
    const NEAR: i32 = 6;
    const THIN: i32 = 2;
    let corners = match kind {
        // A cross.
        Kind::Floor => vec![
            (-THIN, -FAR),
            (THIN, -FAR),
            (THIN, -THIN),
            (FAR, -THIN),
            (FAR, THIN),
            (THIN, THIN),
            (THIN, FAR),
            (-THIN, FAR),
            (-THIN, THIN),
            (-FAR, THIN),
            (-FAR, -THIN),
            (-THIN, -THIN),
        ],
        // As good as a circle.
        Kind::Acequia => (0..16)
            .map(|part| (f64::from(part) * std::f64::consts::TAU / 16.0).sin_cos())
            .map(|(sin, cos)| ((sin * 7.5).round() as i32, (cos * 7.5).round() as i32))
            .collect(),
        // A square, a triangle, a diamond.
        Kind::Bun => vec![(-NEAR, -NEAR), (NEAR, -NEAR), (NEAR, NEAR), (-NEAR, NEAR)],
        Kind::Node => vec![(0, -FAR), (FAR, NEAR), (-FAR, NEAR)],
        Kind::Python => vec![(0, -FAR), (FAR, 0), (0, FAR), (-FAR, 0)],
    };
    Polygon::new(corners, colour(kind).filled())
}

/// Colours that people see apart who see few (after Okabe and Ito).
fn colour(kind: Kind) -> RGBColor {
    match kind {
        Kind::Floor => RGBColor(0x55, 0x55, 0x55),
        Kind::Acequia => RGBColor(0x00, 0x72, 0xb2),
        Kind::Bun => RGBColor(0xd5, 0x5e, 0x00),
        Kind::Node => RGBColor(0x00, 0x9e, 0x73),
        Kind::Python => RGBColor(0xaa, 0x4a, 0x86),
    }
}

/// 1, 2, 5, 10, 20 … within the range.
fn one_two_five(range: &Range<f64>) -> Vec<f64> {
    let powers = (-2..6).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| (digit, power)));
    // Dividing by a whole power gives the number as it is written.
    let each = powers.map(|(digit, power)| match power {
        0.. => digit * 10_f64.powi(power),
        _ => digit / 10_f64.powi(-power),
    });
    each.filter(|value| range.contains(value)).collect()
}

fn thousands(clients: f64) -> String {
    format!("{},{:03}", clients as u64 / 1000, clients as u64 % 1000)
}
