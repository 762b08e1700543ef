//! What `acequia migrate` refuses: a store in use, a target that holds anything, a source that is none.

use std::path::Path;

use crate::migrate::{CONFIG, Kept, Place, migrate, must_fail, must_move, one_run};

#[tokio::test]
async fn a_store_in_use_is_neither_read_nor_written() {
    let place = Place::new();
    let (file, url) = (place.sqlite("one.db"), place.redis.url(""));
    let gateway = place.serve(&file, CONFIG);
    gateway.http.change("/systems/north/manual").await;
    must_fail(&migrate(&file, &url), 1, &["one.db", "in use"]);
    assert_eq!(gateway.terminate().await, Some(0));

    let gateway = place.serve(&url, CONFIG);
    must_fail(&migrate(&file, &url), 1, &["a gateway runs on this Redis"]);
    must_fail(
        &migrate(&url, &place.sqlite("two.db")),
        1,
        &["a gateway runs on this Redis"],
    );
    assert!(!place.path("two.db").exists());
    // It was not disturbed, and another may join it.
    gateway.http.change("/systems/north/manual").await;
    let other = place.serve(&url, CONFIG);
    assert_eq!(other.http.state("north").await["mode"], "manual");
}

#[tokio::test]
async fn a_target_that_holds_anything_is_left_alone() {
    let place = Place::new();
    let (file, url) = (place.sqlite("one.db"), place.redis.url(""));
    one_run(&place, &file).await;
    let gateway = place.serve(&url, CONFIG);
    let kept = Kept::ask(&gateway.http, "/systems/north/stop", "k").await;
    assert_eq!(gateway.terminate().await, Some(0));

    must_fail(
        &migrate(&file, &url),
        1,
        &["0 systems and 1 answers", "empty"],
    );
    let gateway = place.serve(&url, CONFIG);
    kept.must_be_known_to(&gateway.http).await;
    gateway.http.change("/systems/north/manual").await;
    assert_eq!(gateway.terminate().await, Some(0));
    must_fail(
        &migrate(&file, &url),
        1,
        &["1 systems and 1 answers", "empty"],
    );

    must_fail(&migrate(&url, &file), 1, &["one.db", "is there already"]);
    // The log of a database that was moved away would become that of the new one.
    std::fs::write(place.path("two.db-wal"), "x").unwrap();
    let two = place.sqlite("two.db");
    must_fail(&migrate(&url, &two), 1, &["two.db-wal", "is there already"]);
    std::fs::remove_file(place.path("two.db-wal")).unwrap();
    // Nor is what its lock said about the new one.
    std::fs::write(place.path("two.db.lock"), "1").unwrap();
    must_move(&url, &two);
    let gateway = place.serve(&two, CONFIG);
    assert_eq!(gateway.http.state("north").await["mode"], "manual");
}

#[test]
fn a_source_that_is_not_there_or_is_none_is_named() {
    let place = Place::new();
    let url = place.redis.url("");
    let gone = migrate(&place.sqlite("gone.db"), &url);
    must_fail(&gone, 1, &["gone.db", "no such file"]);
    std::fs::write(place.path("empty.db"), "").unwrap();
    must_fail(&migrate(&place.sqlite("empty.db"), &url), 1, &["empty.db"]);
    std::fs::write(place.path("other.db"), "not a database at all, but a text").unwrap();
    must_fail(&migrate(&place.sqlite("other.db"), &url), 1, &["other.db"]);
    let unreachable = format!("redis+unix://{}", place.path("nobody").display());
    let away = migrate(&unreachable, &place.sqlite("one.db"));
    must_fail(&away, 1, &["nobody", "cannot be opened"]);
    assert!(!place.path("one.db").exists());
}

#[test]
fn what_cannot_be_moved_is_a_wrong_configuration_and_no_password_is_said() {
    let (file, redis) = ("sqlite:x.db", "redis://a:hush@box/0");
    must_fail(
        &migrate(file, "sqlite:y.db"),
        64,
        &["from sqlite: to redis://"],
    );
    let both = migrate(redis, "redis://a:hush@box/1");
    must_fail(&both, 64, &["from sqlite: to redis://"]);
    for wrong in [
        "redis://a:hush@box/0?x=1",
        "http://a:hush@box",
        "redis://a:hush@box:x",
    ] {
        for output in [migrate(file, wrong), migrate(wrong, file)] {
            must_fail(&output, 64, &["flag --", "a:***@box", "is not allowed"]);
            assert!(!String::from_utf8_lossy(&output.stderr).contains("hush"));
        }
    }
    assert!(!Path::new("x.db.lock").exists(), "nothing was opened");
}

#[tokio::test]
async fn a_redis_that_a_newer_version_has_written_is_neither_read_nor_written() {
    let place = Place::new();
    let (file, url) = (place.sqlite("one.db"), place.redis.url(""));
    one_run(&place, &file).await;
    assert_eq!(place.serve(&url, CONFIG).terminate().await, Some(0));
    place.redis.ask("HSET {acequia}:clock schema 99");
    must_fail(&migrate(&file, &url), 1, &["schema version 99"]);
    let two = migrate(&url, &place.sqlite("two.db"));
    must_fail(&two, 1, &["schema version 99"]);
    assert!(!place.path("two.db").exists());
}
