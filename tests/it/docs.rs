//! The documentation does not drift from the code: its tables are compared with it, its snippets are run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use acequia::{Code, EVENTS_IN, EVENTS_OUT, ROUTES};
use tempfile::TempDir;

use crate::clients::{node, python};
use crate::fixture::Process;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The cells of the rows of the table with that heading.
fn table(text: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, after) = text
        .split_once(heading)
        .unwrap_or_else(|| panic!("no table {heading}"));
    let rows = after
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells = row.trim_matches('|').replace("\\|", "\u{1}");
        cells
            .split('|')
            .map(|cell| cell.trim().replace('\u{1}', "|"))
            .collect()
    })
    .collect()
}

fn in_backticks(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(Into::into).collect()
}

#[test]
fn protocol_md_lists_every_route_and_no_other() {
    let rows = table(&read("docs/protocol.md"), "| route | answer |");
    let documented: BTreeSet<String> = rows.iter().flat_map(|row| in_backticks(&row[0])).collect();
    assert_eq!(documented, ROUTES.map(String::from).into());
}

#[test]
fn the_list_of_routes_is_that_of_the_router() {
    let source = read("src/http.rs");
    let router = source
        .split("pub(crate) fn router")
        .nth(1)
        .unwrap()
        .split("\n}")
        .next()
        .unwrap();
    let called: String = router.split_whitespace().collect();
    let mut routed: BTreeSet<&str> = called
        .split(".route(\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    routed.insert("/{file}");
    let listed: BTreeSet<&str> = ROUTES
        .iter()
        .map(|route| route.split_once(' ').unwrap().1)
        .collect();
    assert_eq!(listed, routed);
}

#[test]
fn protocol_md_lists_every_event_and_no_other() {
    let rows = table(
        &read("docs/protocol.md"),
        "| direction | event | payload | ack |",
    );
    let documented: BTreeSet<(String, String)> = rows
        .iter()
        .flat_map(|row| {
            in_backticks(&row[1])
                .into_iter()
                .map(|event| (row[0].clone(), event))
        })
        .collect();
    let ours = EVENTS_IN
        .map(|event| ("in".to_owned(), event.to_owned()))
        .into_iter();
    let ours = ours.chain(EVENTS_OUT.map(|event| ("out".to_owned(), event.to_owned())));
    assert_eq!(documented, ours.collect());
}

#[test]
fn protocol_md_and_readme_list_every_error_with_its_status_and_no_other() {
    let ours: BTreeSet<(String, u16)> = Code::ALL
        .iter()
        .map(|code| (code.name().to_owned(), code.status().as_u16()))
        .collect();
    for path in ["docs/protocol.md", "README.md"] {
        let rows = table(&read(path), "| code | status | meaning |");
        let documented = rows.iter().flat_map(|row| {
            let status = row[1].parse().unwrap_or_else(|_| panic!("{path}: {row:?}"));
            in_backticks(&row[0])
                .into_iter()
                .map(move |code| (code, status))
        });
        assert_eq!(documented.collect::<BTreeSet<_>>(), ours, "{path}");
    }
}

#[test]
fn readme_has_every_number_and_every_file_that_it_points_to() {
    let text = read("README.md");
    assert!(!text.contains("@@"), "a number was not filled in");
    let links = text
        .split("](")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap());
    for link in links.filter(|link| !link.starts_with("http") && !link.starts_with('#')) {
        let path = link.split('#').next().unwrap();
        assert!(root().join(path).exists(), "{link}");
    }
}

/// A fenced block: its language, its text, and the output that is shown under it.
struct Snippet {
    language: String,
    text: String,
    output: Option<String>,
}

fn snippets(text: &str) -> Vec<Snippet> {
    let mut found: Vec<Snippet> = Vec::new();
    let mut lines = text.lines();
    // Only an output that directly follows its snippet belongs to it.
    let mut adjacent = false;
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            adjacent &= line.trim().is_empty();
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let text = body.join("\n");
        match (language, found.last_mut()) {
            ("text", Some(last)) if adjacent => last.output = Some(text),
            _ => found.push(Snippet {
                language: language.into(),
                text,
                output: None,
            }),
        }
        adjacent = true;
    }
    found
}

/// Numbers and times differ from run to run; everything else does not.
fn without_digits(text: &str) -> String {
    let mut out = String::new();
    for c in text.trim().chars() {
        match c {
            '0'..='9' if out.ends_with('0') => {}
            '0'..='9' => out.push('0'),
            c => out.push(c),
        }
    }
    out
}

#[test]
fn every_snippet_of_readme_runs_and_prints_what_it_says() {
    let folder = TempDir::new().unwrap();
    let gateway = Process::start(folder.path(), &read("config/demo.toml"), &[]);
    let mut run = 0;
    for Snippet {
        language,
        text,
        output,
    } in snippets(&read("README.md"))
    {
        let mut command = match language.as_str() {
            "sh" => Command::new("bash"),
            "js" => node(),
            "python" => python(),
            _ => continue,
        };
        let text = text.replace("127.0.0.1:8001", &gateway.address.to_string());
        let file: PathBuf = match language.as_str() {
            // Node looks for packages beside the file.
            "js" => root().join(format!(
                "tests/clients/node_modules/readme-{}.mjs",
                std::process::id()
            )),
            _ => folder.path().join("snippet"),
        };
        std::fs::write(&file, &text).unwrap();
        if language == "sh" {
            command.args(["-euo", "pipefail"]);
        }
        let done = command.arg(&file).stdin(Stdio::null()).output().unwrap();
        std::fs::remove_file(&file).unwrap();
        let (out, err) = (
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr),
        );
        assert!(done.status.success(), "{text}\n{out}\n{err}");
        if let Some(expected) = output {
            assert_eq!(without_digits(&out), without_digits(&expected), "{text}");
        }
        run += 1;
    }
    assert!(run >= 5, "{run} snippets were run");
}

/// What the program says is allowed instead of `nonsense` in a scenario.
fn allowed_instead_of(nonsense: &str, scenario: &str) -> BTreeSet<String> {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("x.toml");
    std::fs::write(&file, scenario).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_acequia"))
        .args(["simulate", "--offline", "--scenario"])
        .arg(file)
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    // After the list may stand where: " in `systems`".
    let list = error.split(" in `").next().unwrap();
    let mut allowed = in_backticks(list);
    assert!(allowed.remove(nonsense), "{allowed:?}");
    allowed
}

#[test]
fn simulator_md_lists_every_key_controller_and_actuator_and_no_other() {
    let text = read("docs/simulator.md");
    let (of_file, of_system) = text.split_once("Of each system").unwrap();
    let documented = |text: &str, heading: &str| -> BTreeSet<String> {
        let rows = table(text, heading);
        rows.iter().flat_map(|row| in_backticks(&row[0])).collect()
    };
    let system = "[[systems]]\nid = \"a\"\nfield = \"tomato-loam\"\n";
    let head = "days = 1\nstart = \"2026-05-01\"\nclimate = \"lyon\"\n";

    let keys = "| key | unit | default | meaning |";
    let mut of_files = documented(of_file, keys);
    of_files.extend(["link".to_owned(), "faults".to_owned()]);
    assert_eq!(of_files, allowed_instead_of("x", "x = 1"));
    let unknown = format!("{head}{system}x = 1");
    assert_eq!(
        documented(of_system, keys),
        allowed_instead_of("x", &unknown)
    );

    let controllers = "| kind | keys, with unit and default | what it does |";
    let unknown = format!("{head}{system}controllers = [{{ kind = \"x\" }}]");
    assert_eq!(
        documented(&text, controllers),
        allowed_instead_of("x", &unknown)
    );
    let actuators = "| kind | keys, with unit | what is wrong with it |";
    let unknown = format!("{head}{system}actuator = {{ kind = \"x\" }}");
    assert_eq!(
        documented(&text, actuators),
        allowed_instead_of("x", &unknown)
    );
}
