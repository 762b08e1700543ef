//! The command line and the configuration: one line that says what is wrong, exit 64, before any port is bound.

use std::process::Output;

use tempfile::TempDir;

use crate::program::{self, PROGRAM};

fn acequia(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    program::command(PROGRAM)
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

/// What `check` says of a file: the exit code, standard output, standard error.
fn check(text: &str, environment: &[(&str, &str)]) -> (i32, String, String) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("x.toml");
    std::fs::write(&file, text).unwrap();
    let output = acequia(&["check", "--config", file.to_str().unwrap()], environment);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn a_bad_configuration_is_one_line_with_file_key_and_what_is_allowed_and_exit_64() {
    let cases = [
        (
            "lisen = \"127.0.0.1:1\"",
            &["x.toml", "lisen", "`listen`"][..],
        ),
        (
            "[limits]\nconnection = 5",
            &["x.toml", "limits.connection", "`connections`"],
        ),
        ("listen = 8001", &["x.toml", "listen", "string"]),
        (
            "listen = \"localhost\"",
            &["x.toml", "listen", "ADDRESS:PORT"],
        ),
        ("listen = ", &["x.toml", "line 1"]),
        ("\n\nlisten = \"a\" x", &["x.toml", "line 3"]),
        (
            "store = \"redis://box/north\"",
            &["x.toml", "store", "sqlite:PATH"],
        ),
        ("store = \"sqlite:\"", &["x.toml", "store", "sqlite:PATH"]),
        ("log = \"===\"", &["x.toml", "log", "info"]),
        ("max_timer = 0", &["x.toml", "max_timer", "1 to 86400"]),
        ("max_timer = -1", &["x.toml", "max_timer"]),
        (
            "default_system = \"x\"",
            &["x.toml", "default_system", "\"x\""],
        ),
        ("[[systems]]", &["x.toml", "systems[0]", "id"]),
        (
            "[[systems]]\nid = \"A\"",
            &["x.toml", "systems[0].id", "a-z"],
        ),
        (
            "[[systems]]\nid = \"a\"\n[[systems]]\nid = \"a\"",
            &["x.toml", "systems", "\"a\" is there twice"],
        ),
        (
            "[[systems]]\nid = \"a\"\ntimer_seconds = 0",
            &["x.toml", "systems[0].timer_seconds", "1 to 86400"],
        ),
        (
            "[[systems]]\nid = \"a\"\nmanual_limit = 0",
            &["x.toml", "systems[0].manual_limit", "1 to"],
        ),
        (
            "[[systems]]\nid = \"a\"\nlease_seconds = 4",
            &["x.toml", "systems[0].lease_seconds", "5 to 3600"],
        ),
        (
            "[[systems]]\nid = \"a\"\nlease_seconds = 3601",
            &["x.toml", "systems[0].lease_seconds", "5 to 3600"],
        ),
        (
            "[[systems]]\nid = \"a\"\nlease_seconds = 100000",
            &["x.toml", "systems[0].lease_seconds", "5 to 3600"],
        ),
        (
            "[[systems]]\nid = \"a\"\nname = \"\"",
            &["x.toml", "systems[0].name", "1 to 64"],
        ),
        (
            "[[systems]]\nid = \"a\"\nlimit = 5",
            &["x.toml", "systems[0].limit", "`manual_limit`"],
        ),
        (
            "[cors]\nallowed_origins = [\"http://a/b\"]",
            &["x.toml", "cors.allowed_origins[0]", "\"*\""],
        ),
        (
            "[limits]\njoins_per_socket = 129",
            &["x.toml", "limits.joins_per_socket", "1 to 128"],
        ),
    ];
    for (text, parts) in cases {
        let (code, out, error) = check(text, &[]);
        assert_eq!((code, out.as_str()), (64, ""), "{text}: {error}");
        assert_eq!(error.trim_end().lines().count(), 1, "{text}: {error}");
        for part in parts {
            assert!(error.contains(part), "{text}: {part} is not in {error}");
        }
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = acequia(&["serve", "--config", "nowhere.toml"], &[]);
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere.toml"));
}

#[test]
fn serve_refuses_a_bad_configuration_before_it_binds_a_port() {
    // Were the port bound first, this address, which no machine has, would be what is complained of.
    let environment = [
        ("ACEQUIA_LISTEN", "192.0.2.1:1"),
        ("ACEQUIA_MAX_TIMER", "0"),
    ];
    let output = acequia(&["serve"], &environment);
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("max_timer"));
}

#[test]
fn the_environment_stands_above_the_file_and_is_checked_like_it() {
    let file = "listen = \"127.0.0.1:1\"\n[limits]\nconnections = 7";
    let environment = [
        ("ACEQUIA_LISTEN", "127.0.0.1:2"),
        ("ACEQUIA_LIMITS_BODY_BYTES", "4096"),
        (
            "ACEQUIA_CORS_ALLOWED_ORIGINS",
            "http://a.example, http://b.example",
        ),
    ];
    let (code, out, error) = check(file, &environment);
    assert_eq!(code, 0, "{error}");
    let effective: toml::Table = out.parse().unwrap();
    assert_eq!(effective["listen"].as_str(), Some("127.0.0.1:2"));
    assert_eq!(effective["limits"]["connections"].as_integer(), Some(7));
    assert_eq!(effective["limits"]["body_bytes"].as_integer(), Some(4096));
    assert_eq!(
        effective["cors"]["allowed_origins"]
            .as_array()
            .unwrap()
            .len(),
        2
    );

    for (name, value, parts) in [
        (
            "ACEQUIA_LISTEN",
            "here",
            &["environment ACEQUIA_LISTEN", "ADDRESS:PORT"][..],
        ),
        (
            "ACEQUIA_MAX_TIMER",
            "ten",
            &["environment ACEQUIA_MAX_TIMER", "whole number"],
        ),
        (
            "ACEQUIA_LISTN",
            "127.0.0.1:2",
            &["environment ACEQUIA_LISTN", "ACEQUIA_LISTEN"],
        ),
    ] {
        let (code, _, error) = check(file, &[(name, value)]);
        assert_eq!(code, 64, "{error}");
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
}

#[test]
fn check_prints_what_is_in_force_and_that_is_a_configuration_again() {
    let (code, first, _) = check("[[systems]]\nid = \"a\"\nmanual_limit = 5", &[]);
    assert_eq!(code, 0);
    let effective: toml::Table = first.parse().unwrap();
    assert_eq!(effective["default_system"].as_str(), Some("a"));
    assert_eq!(
        effective["systems"][0]["timer_seconds"].as_integer(),
        Some(10)
    );
    assert_eq!(
        effective["systems"][0]["lease_seconds"].as_integer(),
        Some(30)
    );
    assert_eq!(check(&first, &[]), (0, first.clone(), String::new()));
}

#[test]
fn the_documented_configuration_holds_every_key_with_its_default() {
    let root = env!("CARGO_MANIFEST_DIR");
    let documented = format!("{root}/config/acequia.toml");
    let output = acequia(&["check", "--config", &documented], &[]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let (_, defaults, _) = check("", &[]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), defaults);

    let text = std::fs::read_to_string(&documented).unwrap();
    let written: toml::Table = text.parse().unwrap();
    let effective: toml::Table = defaults.parse().unwrap();
    for (key, value) in &effective {
        match value.as_table() {
            Some(section) => {
                for leaf in section.keys() {
                    assert!(
                        written[key].get(leaf).is_some(),
                        "{key}.{leaf} is not in config/acequia.toml"
                    );
                }
            }
            None => assert!(text.contains(key), "{key} is not in config/acequia.toml"),
        }
    }
}

#[test]
fn the_demonstration_is_a_valid_configuration() {
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/config/demo.toml");
    let output = acequia(&["check", "--config", demo], &[]);
    assert_eq!(output.status.code(), Some(0));
    let effective: toml::Table = String::from_utf8(output.stdout).unwrap().parse().unwrap();
    assert_eq!(effective["systems"].as_array().unwrap().len(), 3);
    assert_eq!(effective["cors"]["allowed_origins"][0].as_str(), Some("*"));
}

#[test]
fn help_explains_every_command() {
    for command in ["serve", "simulate", "check"] {
        let all = acequia(&["--help"], &[]);
        assert!(String::from_utf8_lossy(&all.stdout).contains(command));
        let one = acequia(&[command, "--help"], &[]);
        assert!(
            String::from_utf8_lossy(&one.stdout).contains("Usage:"),
            "{command}"
        );
    }
}
