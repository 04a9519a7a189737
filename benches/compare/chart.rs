//! Charts as SVG, drawn by hand: bars, and lines over a logarithmic axis. They look the same on a light
//! and a dark page, and the same figures give the same bytes.

use std::fmt::Write;

const FRAME: &str = "font-family=\"system-ui, sans-serif\" font-size=\"13\"";
const COLOURS: [&str; 4] = ["#1f6feb", "#d4731c", "#2da44e", "#8250df"];
const GREY: &str = "#8c959f";

/// One bar.
pub struct Bar {
    /// What it is.
    pub name: String,
    /// How long.
    pub value: f64,
    /// Whether it is ours.
    pub ours: bool,
}

/// Bars below each other, with their values.
pub fn bars(title: &str, bars: &[Bar], unit: &str) -> String {
    let (left, width, step) = (330.0, 330.0, 26.0);
    let most = bars.iter().map(|bar| bar.value).fold(1.0, f64::max);
    let height = 54.0 + step * bars.len() as f64;
    let mut out = open(760.0, height, title);
    for (at, bar) in bars.iter().enumerate() {
        let y = 44.0 + step * at as f64;
        let long = (bar.value / most * width).max(1.0);
        let colour = if bar.ours { COLOURS[0] } else { GREY };
        let _ = writeln!(
            out,
            "<text x=\"{x}\" y=\"{ty}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{left}\" y=\"{y}\" width=\"{long:.1}\" height=\"18\" fill=\"{colour}\"/>\
             <text x=\"{vx:.1}\" y=\"{ty}\">{value}{unit}</text>",
            x = left - 8.0,
            ty = y + 14.0,
            name = escape(&bar.name),
            vx = left + long + 6.0,
            value = number(bar.value),
        );
    }
    out + "</g></svg>\n"
}

/// One line.
pub struct Line {
    /// What it is.
    pub name: String,
    /// Its points.
    pub points: Vec<(f64, f64)>,
}

/// Where the lines are drawn: left, top, width and height.
const PLOT: (f64, f64, f64, f64) = (80.0, 50.0, 640.0, 260.0);

/// From figures to places.
struct Axes {
    log: bool,
    first: f64,
    last: f64,
    grid: f64,
    top: f64,
}

impl Axes {
    fn new(lines: &[Line], log: bool) -> Option<Self> {
        let points = || lines.iter().flat_map(|line| &line.points);
        let most = points().map(|point| point.1).max_by(f64::total_cmp)?;
        let grid = step(most.max(f64::MIN_POSITIVE));
        Some(Self {
            log,
            first: points().map(|point| point.0).min_by(f64::total_cmp)?,
            last: points().map(|point| point.0).max_by(f64::total_cmp)?,
            grid,
            top: (most / grid).ceil() * grid,
        })
    }

    fn x(&self, x: f64) -> f64 {
        let scale = |x: f64| if self.log { x.log10() } else { x };
        let span = (scale(self.last) - scale(self.first)).max(f64::MIN_POSITIVE);
        PLOT.0 + (scale(x) - scale(self.first)) / span * PLOT.2
    }

    fn y(&self, y: f64) -> f64 {
        PLOT.1 + PLOT.3 - y / self.top * PLOT.3
    }
}

/// Lines over an axis that is logarithmic where `log` says so; the other begins at zero.
pub fn lines(title: &str, x_title: &str, y_title: &str, log: bool, lines: &[Line]) -> String {
    let Some(axes) = Axes::new(lines, log) else {
        return String::new();
    };
    let (left, top, width, height) = PLOT;
    let mut out = open(760.0, 400.0, title);
    for at in 0..=(axes.top / axes.grid).round() as u32 {
        let value = f64::from(at) * axes.grid;
        let y = axes.y(value);
        let _ = writeln!(
            out,
            "<path d=\"M{left} {y:.1}h{width}\" stroke=\"#d0d7de\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 8.0,
            y + 4.0,
            number(value),
        );
    }
    let mut xs: Vec<f64> = lines
        .iter()
        .flat_map(|line| line.points.iter().map(|point| point.0))
        .collect();
    xs.sort_by(f64::total_cmp);
    xs.dedup();
    for x in &xs {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            axes.x(*x),
            top + height + 20.0,
            short(*x)
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text><text x=\"8\" y=\"42\">{}</text>",
        left + width / 2.0,
        top + height + 42.0,
        escape(x_title),
        escape(y_title)
    );
    for (at, line) in lines.iter().enumerate() {
        draw(&mut out, &axes, at, line);
    }
    out + "</g></svg>\n"
}

fn draw(out: &mut String, axes: &Axes, at: usize, line: &Line) {
    let colour = COLOURS[at % COLOURS.len()];
    let path: Vec<String> = line
        .points
        .iter()
        .map(|(x, y)| format!("{:.1},{:.1}", axes.x(*x), axes.y(*y)))
        .collect();
    let _ = writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
        path.join(" ")
    );
    for (x, y) in &line.points {
        let _ = writeln!(
            out,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
            axes.x(*x),
            axes.y(*y)
        );
    }
    let x = PLOT.0 + 220.0 * at as f64;
    let _ = writeln!(
        out,
        "<rect x=\"{x}\" y=\"374\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
         <text x=\"{}\" y=\"385\">{}</text>",
        x + 18.0,
        escape(&line.name)
    );
}

fn open(width: f64, height: f64, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{title}</title>\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\
         <g {FRAME} fill=\"#1f2328\">\n<text x=\"8\" y=\"22\" font-size=\"15\" font-weight=\"600\">{title}</text>\n",
        title = escape(title)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('`', "")
}

/// A round step that gives some four to eight of them.
fn step(most: f64) -> f64 {
    let power = 10f64.powf((most / 4.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| most / step <= 6.0)
        .unwrap_or(10.0 * power)
}

/// With a space between thousands.
pub fn number(value: f64) -> String {
    if value < 10.0 && value.fract().abs() > 0.001 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{}M", v / 1e6),
        v if v >= 1e3 => format!("{}k", v / 1e3),
        v => format!("{v}"),
    }
}
