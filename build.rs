//! Writes down when the program was built: a wall clock that shows an earlier time is not set.

use std::time::SystemTime;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    // https://reproducible-builds.org/specs/source-date-epoch/
    let given = std::env::var("SOURCE_DATE_EPOCH").ok();
    let built_s = given.map_or_else(now_s, |given| {
        given
            .parse()
            .expect("SOURCE_DATE_EPOCH is whole seconds since 1970")
    });
    // Cargo shows it to what it runs, too: a name with ACEQUIA_ would be taken for a setting.
    println!("cargo::rustc-env=BUILT_S={built_s}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "the gateway does not run yet: this is the time of the one who builds it"
)]
fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
