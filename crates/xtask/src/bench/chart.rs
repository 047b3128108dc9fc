// SPDX-License-Identifier: AGPL-3.0-only
//! The chart of a result: for each figure a bar of how many times better ours is than SIPp, as SVG, and where the floor is known a mark
//! at how many times better nothing but the datagrams would be.
//!
//! A logarithmic scale, since ratios are compared: twice as good is as far from even as half as good. No date and no random
//! order in it, so that the same result draws the same picture.

use std::fmt::Write as _;

/// A figure of both tools. `ratio` is how many times better ours is; `text` are the values.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) ratio: f64,
    /// The ratio of the floor.
    pub(super) floor: Option<f64>,
    pub(super) text: String,
}

const WIDTH: f64 = 960.0;
const LEFT: f64 = 330.0;
const RIGHT: f64 = 240.0;
const TOP: f64 = 56.0;
const ROW: f64 = 30.0;
const BAR: f64 = 16.0;

/// The picture.
pub(super) fn svg(title: &str, bars: &[Bar]) -> String {
    let ratios = || bars.iter().flat_map(|bar| [Some(bar.ratio), bar.floor]);
    let most = ratios().flatten().fold(10.0, f64::max);
    let least = ratios().flatten().fold(1.0, f64::min);
    let span = (most / least).ln();
    let x = |ratio: f64| LEFT + (ratio / least).ln() / span * (WIDTH - LEFT - RIGHT);
    let height = TOP + ROW * bars.len() as f64 + 34.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <style>text{{fill:#222}}.grid{{stroke:#ccc}}.even{{stroke:#888}}.goal{{stroke:#c60;stroke-dasharray:4 3}}\
         .bar{{fill:#27a}}.floor{{stroke:#a22;stroke-width:3}}.dim{{fill:#777}}@media(prefers-color-scheme:dark){{text{{fill:#ddd}}.grid{{stroke:#444}}\
         .bar{{fill:#5ad}}.floor{{stroke:#e77}}.dim{{fill:#999}}}}</style>\n\
         <text x=\"12\" y=\"22\" font-size=\"16\">{}</text>\n\
         <text class=\"dim\" x=\"12\" y=\"42\">SIPp : gossipper. Red marks: the same datagrams without SIP (the floor). \
         Dashed: what was promised.</text>\n",
        escaped(title)
    );
    let bottom = TOP + ROW * bars.len() as f64;
    for (at, class) in [
        (1.0, "even"),
        (2.0, "grid"),
        (5.0, "grid"),
        (10.0, "goal"),
        (20.0, "grid"),
        (50.0, "grid"),
        (100.0, "grid"),
    ] {
        if at > most * 1.001 {
            continue;
        }
        let x = x(at);
        let _ = write!(
            out,
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP:.0}\" y2=\"{bottom:.0}\"/>\n\
             <text class=\"dim\" x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{at:.0}×</text>\n",
            bottom + 20.0
        );
    }
    for (row, bar) in bars.iter().enumerate() {
        let y = TOP + ROW * row as f64;
        let (from, to) = (x(1.0).min(x(bar.ratio)), x(1.0).max(x(bar.ratio)));
        let base = y + BAR;
        let _ = write!(
            out,
            "<text x=\"{:.0}\" y=\"{base:.0}\" text-anchor=\"end\">{}</text>\n\
             <rect class=\"bar\" x=\"{from:.1}\" y=\"{:.0}\" width=\"{:.1}\" height=\"{BAR:.0}\"/>\n\
             <text x=\"{:.1}\" y=\"{base:.0}\">{:.1}×  {}</text>\n",
            LEFT - 10.0,
            escaped(&bar.name),
            y + 3.0,
            (to - from).max(1.0),
            WIDTH - RIGHT + 10.0,
            bar.ratio,
            escaped(&bar.text)
        );
        if let Some(floor) = bar.floor {
            let x = x(floor);
            let _ = writeln!(
                out,
                "<line class=\"floor\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.0}\" y2=\"{:.0}\"/>",
                y + 1.0,
                y + BAR + 5.0
            );
        }
    }
    out.push_str("</svg>\n");
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(ratio: f64) -> Bar {
        Bar {
            name: "a < b".to_owned(),
            ratio,
            floor: None,
            text: "10 : 1".to_owned(),
        }
    }

    /// Left edge and width of each bar.
    fn rects(svg: &str) -> Vec<(f64, f64)> {
        let number = |line: &str, key: &str| -> f64 {
            let (_, rest) = line.split_once(key).expect(key);
            rest.split('"')
                .next()
                .and_then(|text| text.parse().ok())
                .expect(key)
        };
        svg.lines()
            .filter(|line| line.starts_with("<rect"))
            .map(|line| (number(line, " x=\""), number(line, " width=\"")))
            .collect()
    }

    #[test]
    fn bars_begin_at_even_and_twice_as_good_is_as_long_as_half_as_good() {
        let svg = svg("SIPp & ours", &[bar(2.0), bar(0.5), bar(10.0)]);
        let [(twice_at, twice), (half_at, half), (_, ten)] = rects(&svg)[..] else {
            panic!("{svg}");
        };
        assert!((twice - half).abs() < 0.2, "{twice} {half}");
        assert!((half_at + half - twice_at).abs() < 0.2);
        assert!((ten / twice - 10_f64.log2()).abs() < 0.01);
        assert!(svg.contains("SIPp &amp; ours") && svg.contains("a &lt; b"));
    }

    #[test]
    fn a_floor_is_marked_where_a_bar_of_its_ratio_would_end() {
        let bars = [
            Bar {
                floor: Some(40.0),
                ..bar(4.0)
            },
            bar(40.0),
        ];
        let svg = svg("t", &bars);
        let (at, width) = rects(&svg)[1];
        let mark = svg.lines().find(|line| line.contains("class=\"floor\""));
        let mark = mark.expect("a mark");
        assert!(
            mark.contains(&format!("x1=\"{:.1}\"", at + width)),
            "{mark}"
        );
        assert_eq!(svg.matches("class=\"floor\"").count(), 1);
    }

    #[test]
    fn everything_lies_within_the_picture() {
        let svg = svg("t", &[bar(40.0), bar(0.1)]);
        for (at, width) in rects(&svg) {
            assert!(
                at >= 0.0 && at + width <= WIDTH - RIGHT + 0.2,
                "{at} {width}"
            );
        }
    }
}
