// SPDX-License-Identifier: AGPL-3.0-only
//! What a report says and in which order, before anybody draws it.
//!
//! Texts are as they are: who draws escapes. Places in charts are parts of one, from the left and from the bottom, so that a
//! chart fits whatever space it is given.

/// A report.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Document {
    /// What ran.
    pub(super) title: String,
    /// Where, when and how, as pairs of a name and a value.
    pub(super) facts: Vec<(String, String)>,
    /// What came of it.
    pub(super) verdict: Verdict,
    /// Figures that are read first.
    pub(super) cards: Vec<Card>,
    /// The rest.
    pub(super) sections: Vec<Section>,
    /// Who made it.
    pub(super) footer: String,
}

/// How something is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Tone {
    /// Neither.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Of no importance, a zero for instance.
    Faint,
}

/// What came of a run, in a line and in detail.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Verdict {
    /// Good or bad.
    pub(super) tone: Tone,
    /// A word or two.
    pub(super) word: String,
    /// A sentence.
    pub(super) headline: String,
    /// More of them, each with how it is meant.
    pub(super) lines: Vec<(Tone, String)>,
}

/// A figure.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Card {
    /// What it is of.
    pub(super) name: String,
    /// It.
    pub(super) value: String,
    /// What to compare it with.
    pub(super) aside: String,
    /// How it is meant.
    pub(super) tone: Tone,
    /// A part of one, to be shown as a bar.
    pub(super) part: Option<f64>,
}

/// A part with a heading.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Section {
    /// The heading.
    pub(super) title: &'static str,
    /// What one needs to know in order to read it.
    pub(super) note: String,
    /// What is in it.
    pub(super) blocks: Vec<Block>,
}

/// What is in a section.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Block {
    /// A paragraph.
    Text(String),
    /// Charts, next to each other where there is space.
    Charts(Vec<Chart>),
    /// A table.
    Table(Table),
    /// Messages between us and others.
    Ladder(Ladder),
}

/// A table.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Table {
    /// What is in it, if the section does not say so already.
    pub(super) caption: String,
    /// The names of the columns; the first column is text, the others are figures unless said otherwise.
    pub(super) columns: Vec<&'static str>,
    /// How many columns from the left hold text.
    pub(super) texts: usize,
    /// Its rows.
    pub(super) rows: Vec<Vec<Cell>>,
    /// It is long and seldom read: to be opened where that is possible.
    pub(super) folded: bool,
}

/// A field of a table.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Cell {
    /// What stands in it.
    pub(super) text: String,
    /// How it is meant.
    pub(super) tone: Tone,
    /// A part of one, to be shown as a bar.
    pub(super) part: Option<f64>,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }
}

impl Cell {
    /// A field with a meaning.
    pub(super) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            text: text.into(),
            tone,
            part: None,
        }
    }
}

/// Steps or messages between lifelines.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Ladder {
    /// What it is of, if the section does not say so already.
    pub(super) caption: String,
    /// More about it.
    pub(super) note: String,
    /// What the column next to the lifelines is.
    pub(super) count: &'static str,
    /// What the figures are.
    pub(super) figures: &'static [&'static str],
    /// There is a third lifeline on the left.
    pub(super) twin: bool,
    /// From top to bottom.
    pub(super) rungs: Vec<Rung>,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Rung {
    /// Its place.
    pub(super) index: String,
    /// Where it goes.
    pub(super) way: Way,
    /// What goes there.
    pub(super) label: String,
    /// How often.
    pub(super) count: String,
    /// That as a part of the greatest count, to be shown as a bar.
    pub(super) part: Option<f64>,
    /// Figures in the order of [`Ladder::figures`]; zeroes are faint.
    pub(super) figures: Vec<Cell>,
}

/// Where a step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Way {
    /// From us to the peer.
    ToPeer,
    /// From the peer to us.
    FromPeer,
    /// From us to the twin.
    ToTwin,
    /// From the twin to us.
    FromTwin,
    /// Nowhere.
    #[default]
    Local,
}

/// A colour with a meaning; which one it is depends on paper or screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// The first of several.
    Blue,
    /// The second, and what comes late.
    Orange,
    /// What is well.
    Green,
    /// What is not.
    Red,
    /// One more.
    Purple,
    /// And one more.
    Teal,
    /// What others are compared with.
    Grey,
}

/// A picture of figures.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Chart {
    /// What it shows.
    pub(super) title: String,
    /// Unit, and what else has to be known.
    pub(super) note: String,
    /// What the colours are.
    pub(super) legend: Vec<(Ink, Stroke, String)>,
    /// Marks of the horizontal axis.
    pub(super) x: Vec<Tick>,
    /// Marks of the vertical axis.
    pub(super) y: Vec<Tick>,
    /// From the back to the front.
    pub(super) marks: Vec<Mark>,
    /// What to say where a pointer is.
    pub(super) hover: Option<Hover>,
    /// It takes the space of two.
    pub(super) wide: bool,
}

impl Chart {
    /// Draws lines, and says in the legend what they are.
    pub(super) fn line(
        &mut self,
        ink: Ink,
        stroke: Stroke,
        name: &str,
        pieces: Vec<Vec<(f64, f64)>>,
    ) {
        self.legend.push((ink, stroke, name.to_owned()));
        self.marks.push(Mark::Line(ink, stroke, pieces));
    }
}

/// A mark of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// Where.
    pub(super) at: f64,
    /// What is written there.
    pub(super) label: String,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Stroke {
    /// A line.
    #[default]
    Solid,
    /// Of dashes.
    Dashed,
    /// No line but a surface.
    Fill,
}

/// Something drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mark {
    /// A surface from the ground up to these points.
    Area(Ink, Vec<(f64, f64)>),
    /// Lines, each from its first point to its last.
    Line(Ink, Stroke, Vec<Vec<(f64, f64)>>),
    /// Rectangles: left, right, bottom, top.
    Bars(Ink, Vec<[f64; 4]>),
    /// A grid of shades.
    Shades(Shades),
    /// A vertical line with a name.
    Rule(f64, String),
}

/// How many shades there are.
pub(super) const SHADES: usize = 8;

/// A grid of shades.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Shades {
    /// From left to right.
    pub(super) columns: usize,
    /// From bottom to top.
    pub(super) rows: usize,
    /// Of each shade, from the lightest: column, row, and over how many columns it goes.
    pub(super) runs: [Vec<(usize, usize, usize)>; SHADES],
    /// What the shades stand for: some of them, each with the greatest count that has it.
    pub(super) scale: Vec<(usize, String)>,
}

/// What to say where a pointer is: columns over the whole width.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Hover {
    /// Seconds that a column stands for.
    pub(super) seconds: f64,
    /// Values are nanoseconds.
    pub(super) times: bool,
    /// Names and values.
    pub(super) rows: Vec<(String, Vec<Option<f64>>)>,
}
