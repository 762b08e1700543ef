//! The console as the gateway serves it.

use hyper::{Method, StatusCode};

use crate::fixture::Gateway;

#[tokio::test]
async fn the_page_is_served_for_every_system_with_a_policy() {
    let gateway = Gateway::start().await;
    let root = gateway.http.get("/").await;
    assert_eq!(root.status, StatusCode::OK);
    for path in ["/console/north", "/console/north/", "/console/nowhere"] {
        let page = gateway.http.get(path).await;
        assert_eq!(
            (page.status, &page.text),
            (StatusCode::OK, &root.text),
            "{path}"
        );
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(page.headers["cache-control"], "no-cache");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self'"), "{policy}");
    }
    let head = gateway.http.send(Method::HEAD, "/", &[], "").await;
    assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));
}

#[tokio::test]
async fn what_the_page_loads_is_there_and_may_be_kept() {
    let gateway = Gateway::start().await;
    let page = gateway.http.get("/").await.text;
    let assets: Vec<&str> = page
        .split('"')
        .filter(|part| part.starts_with("/assets/"))
        .collect();
    assert!(
        assets.len() >= 2,
        "make prepare-client builds the console: {page}"
    );
    for path in assets {
        let asset = gateway.http.get(path).await;
        assert_eq!(asset.status, StatusCode::OK, "{path}");
        assert!(
            asset.headers["cache-control"]
                .to_str()
                .unwrap()
                .contains("immutable")
        );
        let kind = asset.headers["content-type"].to_str().unwrap();
        assert!(
            ["text/javascript", "text/css", "image/svg+xml"]
                .iter()
                .any(|k| kind.starts_with(k)),
            "{path}: {kind}"
        );
        assert!(!asset.text.is_empty());
    }
}

#[tokio::test]
async fn the_console_can_be_installed_with_the_icons_that_it_names() {
    let gateway = Gateway::start().await;
    let page = gateway.http.get("/").await.text;
    assert!(page.contains("rel=\"manifest\" href=\"/manifest.webmanifest\""));
    let manifest = gateway.http.get("/manifest.webmanifest").await;
    assert_eq!(manifest.status, StatusCode::OK);
    assert_eq!(
        manifest.headers["content-type"],
        "application/manifest+json"
    );
    assert_eq!(manifest.headers["cache-control"], "no-cache");
    let manifest = manifest.json();
    for (key, value) in [
        ("start_url", "/"),
        ("scope", "/"),
        ("display", "standalone"),
    ] {
        assert_eq!(manifest[key], value);
    }

    let mut icons: Vec<(String, String)> = Vec::new();
    for icon in manifest["icons"].as_array().unwrap() {
        let text = |key: &str| icon[key].as_str().unwrap().to_owned();
        icons.push((text("src"), text("type")));
    }
    assert!(icons.len() >= 4, "{icons:?}");
    // The page names two by itself.
    for (path, kind) in [
        ("/icon.svg", "image/svg+xml"),
        ("/icon-180.png", "image/png"),
    ] {
        assert!(page.contains(&format!("href=\"{path}\"")), "{path}");
        icons.push((path.into(), kind.into()));
    }
    for (path, kind) in icons {
        // A picture is no text: its head says enough.
        let icon = gateway.http.send(Method::HEAD, &path, &[], "").await;
        assert_eq!(icon.status, StatusCode::OK, "{path}");
        assert_eq!(icon.headers["content-type"], kind, "{path}");
        assert_eq!(icon.headers["cache-control"], "public, max-age=86400");
        let length = icon.headers["content-length"].to_str().unwrap();
        assert!(length.parse::<u32>().unwrap() > 0, "{path}");
    }
}

#[tokio::test]
async fn nothing_but_the_console_s_files_is_served() {
    let gateway = Gateway::start().await;
    for path in [
        "/Cargo.toml",
        "/../Cargo.toml",
        "/assets/../../Cargo.toml",
        "/assets/",
        "/assets/none.js",
    ] {
        let answer = gateway.http.get(path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.error_code().as_str()),
            (404, "not_found"),
            "{path}"
        );
    }
}
