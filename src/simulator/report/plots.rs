//! The plots of a system, each a figure of HTML with an SVG in it.
//!
//! Knows the colours of the light palette only: the style sheet finds them and puts the variables in their place, and sets
//! every font. Puts no words into an SVG but the labels of the axes: the legend is HTML, which wraps on a phone.

use std::io;

use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::{
    ChartBuilder, Color, IntoDrawingArea, PathElement, Polygon, RGBColor, Rectangle, SVGBackend,
};

use super::axes::{Axis, HOUR, Time};
use super::{count, decimal};
use crate::simulator::season::{Opening, Sample, Season, SystemSeason};

const INK: RGBColor = RGBColor(0x14, 0x21, 0x1e);
const FAINT: RGBColor = RGBColor(0x3b, 0x4c, 0x48);
const LINE: RGBColor = RGBColor(0xb9, 0xc6, 0xc2);
const EDGE: RGBColor = RGBColor(0x6b, 0x7d, 0x78);
const WATER: RGBColor = RGBColor(0x0b, 0x4a, 0x6f);
const MANUAL: RGBColor = RGBColor(0x51, 0x2a, 0x86);
const WARNING: RGBColor = RGBColor(0x6b, 0x2c, 0x00);
const WARNING_GROUND: RGBColor = RGBColor(0xfd, 0xf0, 0xe0);
const ALARM: RGBColor = RGBColor(0x8a, 0x0f, 0x17);

/// Plotters knows whole units only: a unit is a third of a pixel of the widest plot, so that slow curves are smooth.
const WIDTH: u32 = 3200;
const TALL: u32 = 960;
const LOW: u32 = 680;
const STRIP: u32 = 280;
/// Around the plot itself: room for labels, which are larger on a phone.
const LEFT: u32 = 260;
const RIGHT: u32 = 150;
const BOTTOM: u32 = 160;
const TOP: u32 = 50;
const TICK: u32 = 14;

/// Pieces of a line, each of two points: more cannot be seen in 900 pixels.
const PIECES: usize = 400;
/// Days with bars of their own: in a longer simulation a bar stands for several days.
const BARS: f64 = 400.0;
/// The narrowest opening of a valve that can be seen, as a part of the whole time.
const VISIBLE: f64 = 1.0 / 900.0;

/// Days since the simulation began, and a value.
type Point = (f64, f64);
type DrawingError = DrawingAreaErrorKind<io::Error>;

/// All plots of a system.
///
/// # Errors
/// What Plotters says when it cannot draw.
pub(super) fn figures(season: &Season, system: &SystemSeason) -> Result<String, DrawingError> {
    let samples = &system.samples;
    let Some(last) = samples.last() else {
        return Ok("<p class=\"note\">There are no samples of this system.</p>\n".to_owned());
    };
    let time = Time::of(&season.start, season.days.max(last.day));
    let plots = [
        depletion(samples),
        water(samples, &time),
        moisture(samples),
        valve(&system.openings, &time),
    ];
    plots.iter().map(|plot| plot.figure(&time)).collect()
}

fn depletion(samples: &[Sample]) -> Plot {
    let depletion = line(samples, |sample| Some(sample.depletion_mm));
    let raw = line(samples, |sample| Some(sample.raw_mm));
    let taw = line(samples, |sample| Some(sample.taw_mm));
    let zone = raw.iter().chain(taw.iter().rev()).copied().collect();
    let values = depletion.iter().chain(&raw).chain(&taw);
    Plot {
        title: "Depletion of the root zone, mm".to_owned(),
        height: TALL,
        axis: Axis::over(values.map(|point| point.1).chain([0.0]), 6.0).downwards(),
        layers: vec![
            Layer::new("stress", WARNING_GROUND, Marks::Area(zone)),
            Layer::new("stress begins (RAW)", WARNING, Marks::Line(raw)),
            Layer::new("wilting begins (TAW)", ALARM, Marks::Line(taw)),
            Layer::new("depletion: lower is drier", INK, Marks::Line(depletion)),
        ],
    }
}

fn water(samples: &[Sample], time: &Time) -> Plot {
    let days = (time.days / BARS).ceil();
    let rain = sums(samples, days, |sample| sample.rain_mm);
    let irrigation = sums(samples, days, |sample| sample.irrigation_mm);
    let values = rain.iter().chain(&irrigation).map(|point| point.1);
    let axis = Axis::over(values.chain([0.0]), 3.0);
    let bars = |sums: Vec<Point>, from: f64, to: f64| {
        let some = sums.into_iter().filter(|(_, sum)| *sum > 0.0);
        Marks::Bars(
            some.map(|(day, sum)| [(day + days * from, 0.0), (day + days * to, sum)])
                .collect(),
        )
    };
    Plot {
        title: match days {
            1.0 => "Rain and irrigation, mm per day".to_owned(),
            _ => format!("Rain and irrigation, mm in {days} days"),
        },
        height: LOW,
        axis,
        layers: vec![
            Layer::new("rain", EDGE, bars(rain, 0.1, 0.5)),
            Layer::new("irrigation", WATER, bars(irrigation, 0.5, 0.9)),
        ],
    }
}

fn moisture(samples: &[Sample]) -> Plot {
    let moisture = line(samples, |sample| Some(sample.moisture));
    let measured = line(samples, |sample| sample.measured);
    let values = moisture.iter().chain(&measured).map(|point| point.1);
    Plot {
        title: "Soil moisture, m³/m³".to_owned(),
        height: TALL,
        axis: Axis::over(values, 6.0),
        layers: vec![
            Layer::new("as the sensor says", MANUAL, Marks::Line(measured)),
            Layer::new("as it is", INK, Marks::Line(moisture)),
        ],
    }
}

fn valve(openings: &[Opening], time: &Time) -> Plot {
    let days: f64 = openings.iter().map(|Opening { from, to }| to - from).sum();
    let mut strips: Vec<[Point; 2]> = Vec::new();
    for &Opening { from, to } in openings {
        let to = to.max(from + time.days * VISIBLE);
        match strips.last_mut() {
            Some([_, (end, _)]) if from <= *end => *end = end.max(to),
            _ => strips.push([(from, 0.0), (to, 1.0)]),
        }
    }
    let times = count(openings.len() as u64, "time");
    let hours = decimal(days / HOUR, 1);
    Plot {
        title: format!("Valve: opened {times}, for {hours} h in all"),
        height: STRIP,
        axis: Axis::bare(),
        layers: vec![Layer::new("open", WATER, Marks::Bars(strips))],
    }
}

struct Plot {
    title: String,
    height: u32,
    axis: Axis,
    /// From the backmost.
    layers: Vec<Layer>,
}

struct Layer {
    name: &'static str,
    colour: RGBColor,
    marks: Marks,
}

enum Marks {
    Line(Vec<Point>),
    Area(Vec<Point>),
    /// Two opposite corners each.
    Bars(Vec<[Point; 2]>),
}

impl Plot {
    fn figure(&self, time: &Time) -> Result<String, DrawingError> {
        let title = &self.title;
        let named = format!(" role=\"img\">\n<title>{title}</title>");
        let svg = self.svg(time)?.replacen('>', &named, 1);
        let legend: String = self.layers.iter().map(Layer::legend).collect();
        Ok(format!(
            "<figure>\n<figcaption><b>{title}</b>{legend}</figcaption>\n{svg}</figure>\n"
        ))
    }

    fn svg(&self, time: &Time) -> Result<String, DrawingError> {
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (WIDTH, self.height)).into_drawing_area();
            let mut chart = ChartBuilder::on(&area)
                .margin_top(TOP)
                .margin_right(RIGHT)
                .x_label_area_size(BOTTOM)
                .y_label_area_size(LEFT)
                .build_cartesian_2d(time.scale(), self.axis.scale.clone())?;
            for Layer { colour, marks, .. } in &self.layers {
                if let Marks::Area(points) = marks {
                    chart.draw_series([Polygon::new(points.clone(), colour.filled())])?;
                }
            }
            // The lines of the mesh lie on areas, and below everything else.
            let mut mesh = chart.configure_mesh();
            if self.height == STRIP {
                // Its bars can be as narrow as a line.
                mesh.disable_x_mesh();
            }
            mesh.bold_line_style(LINE)
                .axis_style(EDGE)
                .label_style(("sans-serif", 48, &FAINT))
                .x_label_formatter(&|day| time.label(*day))
                .y_label_formatter(&|value| self.axis.label(*value))
                .set_all_tick_mark_size(TICK)
                .draw()?;
            for Layer { colour, marks, .. } in &self.layers {
                match marks {
                    Marks::Area(_) => {}
                    Marks::Line(points) => {
                        let style = colour.stroke_width(5);
                        chart.draw_series([PathElement::new(points.clone(), style)])?;
                    }
                    Marks::Bars(bars) => {
                        let bars = bars.iter().copied();
                        chart.draw_series(bars.map(|bar| Rectangle::new(bar, colour.filled())))?;
                    }
                }
            }
            area.present()?;
        }
        Ok(svg)
    }
}

impl Layer {
    fn new(name: &'static str, colour: RGBColor, marks: Marks) -> Self {
        Self {
            name,
            colour,
            marks,
        }
    }

    /// The name, beside a sample that the style sheet colours as it colours the plot.
    fn legend(&self) -> String {
        let RGBColor(red, green, blue) = self.colour;
        let colour = format!("#{red:02X}{green:02X}{blue:02X}");
        let sample = match self.marks {
            Marks::Line(_) => {
                format!("<polyline fill=\"none\" stroke=\"{colour}\" points=\"0,5 24,5\"/>")
            }
            Marks::Area(_) | Marks::Bars(_) => {
                format!("<rect width=\"24\" height=\"10\" fill=\"{colour}\"/>")
            }
        };
        format!(
            "\n<span><svg class=\"sample\" viewBox=\"0 0 24 10\" aria-hidden=\"true\">{sample}</svg> {}</span>",
            self.name
        )
    }
}

/// A value over time. Of more samples than can be seen, each piece keeps its lowest and its highest.
fn line(samples: &[Sample], value: impl Fn(&Sample) -> Option<f64>) -> Vec<Point> {
    let points = samples
        .iter()
        .filter_map(|sample| Some((sample.day, value(sample)?)));
    let points: Vec<Point> = points.filter(|(_, value)| value.is_finite()).collect();
    let size = points.len().div_ceil(PIECES);
    if size <= 2 {
        return points;
    }
    let ends = points.chunks(size).flat_map(|piece| {
        let lowest = piece.iter().min_by(|a, b| a.1.total_cmp(&b.1));
        let highest = piece.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        let mut ends = [lowest, highest];
        ends.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        ends.into_iter().flatten().copied()
    });
    ends.collect()
}

/// What came in each group of days, at the beginning of the group.
fn sums(samples: &[Sample], days: f64, value: impl Fn(&Sample) -> f64) -> Vec<Point> {
    let mut sums: Vec<Point> = Vec::new();
    for sample in samples {
        // A sample tells of the time before it: that of midnight belongs to the day that ends.
        let group = ((sample.day - 1e-6).max(0.0) / days).floor() * days;
        match sums.last_mut() {
            Some((day, sum)) if *day == group => *sum += value(sample),
            _ => sums.push((group, value(sample))),
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(day: f64, depletion_mm: f64, rain_mm: f64) -> Sample {
        Sample {
            day,
            depletion_mm,
            raw_mm: 30.0,
            taw_mm: 60.0,
            moisture: 0.3,
            measured: None,
            rain_mm,
            irrigation_mm: 0.0,
        }
    }

    #[test]
    fn a_line_of_too_many_points_keeps_its_peaks() {
        let value = |number| match number {
            7_001 => 90.0,
            7_003 => -5.0,
            _ => 10.0,
        };
        let samples: Vec<Sample> = (0..10_000)
            .map(|number| sample(f64::from(number) / 24.0, value(number), 0.0))
            .collect();
        let line = line(&samples, |sample| Some(sample.depletion_mm));
        assert!(line.len() <= 2 * PIECES, "{} points", line.len());
        assert!(line.contains(&(7_001.0 / 24.0, 90.0)));
        assert!(line.contains(&(7_003.0 / 24.0, -5.0)));
        assert!(line.is_sorted_by(|a, b| a.0 <= b.0));
    }

    #[test]
    fn a_short_line_keeps_every_point() {
        let samples: Vec<Sample> = (0..800)
            .map(|number| sample(f64::from(number), 10.0, 0.0))
            .collect();
        assert_eq!(line(&samples, |sample| Some(sample.raw_mm)).len(), 800);
    }

    #[test]
    fn what_is_not_known_or_no_number_is_not_drawn() {
        let samples = [sample(0.0, f64::NAN, 0.0), sample(1.0, 5.0, 0.0)];
        let depletion = line(&samples, |sample| Some(sample.depletion_mm));
        assert_eq!(depletion, [(1.0, 5.0)]);
        assert_eq!(line(&samples, |sample| sample.measured), []);
    }

    #[test]
    fn rain_until_midnight_belongs_to_the_day_that_ends() {
        let rain = [(0.0, 1.0), (0.5, 2.0), (1.0, 4.0), (1.5, 8.0), (3.0, 16.0)];
        let samples = rain.map(|(day, rain)| sample(day, 0.0, rain));
        let by_day = sums(&samples, 1.0, |sample| sample.rain_mm);
        assert_eq!(by_day, [(0.0, 7.0), (1.0, 8.0), (2.0, 16.0)]);
        let by_two = sums(&samples, 2.0, |sample| sample.rain_mm);
        assert_eq!(by_two, [(0.0, 15.0), (2.0, 16.0)]);
    }

    #[test]
    fn openings_too_near_to_be_told_apart_are_one_bar() {
        let time = Time::of("2026-05-01", 90.0);
        let openings = [0.0, 0.05, 0.1, 50.0].map(|from| Opening {
            from,
            to: from + 0.01,
        });
        let plot = valve(&openings, &time);
        assert_eq!(plot.title, "Valve: opened 4 times, for 1.0 h in all");
        let Marks::Bars(bars) = &plot.layers[0].marks else {
            panic!("openings are bars");
        };
        assert_eq!(bars.len(), 2);
        assert_eq!(bars[0][0], (0.0, 0.0));
    }
}
