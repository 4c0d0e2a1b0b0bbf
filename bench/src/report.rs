//! What is printed, and what is written into docs/.

use std::{
    error::Error,
    fmt, fs,
    path::{Path, PathBuf},
    thread,
};

/// A table in Markdown, its columns aligned for whoever reads it on a terminal.
pub struct Table(Vec<Vec<String>>);

impl Table {
    pub fn new(columns: &[&str]) -> Self {
        Self(vec![
            columns.iter().map(|&column| column.to_owned()).collect(),
        ])
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            self.0
                .iter()
                .filter_map(|row| row.get(column))
                .map(String::len)
                .max()
                .unwrap_or_default()
        };
        for (number, row) in self.0.iter().enumerate() {
            for (column, cell) in row.iter().enumerate() {
                write!(f, "| {cell:0$} ", width(column))?;
            }
            writeln!(f, "|")?;
            if number == 0 {
                (0..row.len())
                    .try_for_each(|column| write!(f, "|{}", "-".repeat(width(column) + 2)))?;
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

/// A part of docs/performance.md, and the picture that goes with it.
pub struct Section {
    pub text: String,
    /// Its file's name, and SVG.
    pub picture: (&'static str, String),
}

impl Section {
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Puts the text between the marks of this name, and the picture beside.
    pub fn write(&self, name: &str) -> Result<(), Box<dyn Error>> {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let path: PathBuf = docs.join("performance.md");
        let document = fs::read_to_string(&path)?;
        let (begin, end) = (
            format!("<!-- {name}: begin -->\n"),
            format!("<!-- {name}: end -->"),
        );
        let missing = || format!("{}: no marks for {name}", path.display());
        let (before, rest) = document.split_once(&begin).ok_or_else(missing)?;
        let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
        fs::write(
            &path,
            [before, &begin, "\n", &self.text, "\n", &end, after].concat(),
        )?;
        fs::write(docs.join(self.picture.0), &self.picture.1)?;
        Ok(())
    }
}

/// What the figures were measured on.
pub fn machine() -> String {
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model);
    let cores = thread::available_parallelism().map_or(0, |cores| cores.get());
    format!(
        "{cores} cores ({model}), servers and load generator on the same machine, grantor {}.",
        env!("CARGO_PKG_VERSION")
    )
}
