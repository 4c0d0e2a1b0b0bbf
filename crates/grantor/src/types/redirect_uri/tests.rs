use proptest::prelude::*;

use super::*;

fn uri(text: &str) -> RedirectUri {
    RedirectUri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn c001_good_redirect_uris_are_kept_to_the_letter() {
    let longest = format!("https://a.example/{}", "x".repeat(2030));
    assert_eq!(longest.len(), RedirectUri::MAX_BYTES);
    for text in [
        "https://app.example",
        "https://app.example/",
        "https://app.example/callback?tenant=a&b=%20%C3%A4",
        "https://App.Example:8443/CallBack",
        "https://xn--bcher-kva.example/cb",
        "https://192.0.2.1/cb",
        "https://[2001:db8::1]:1/cb",
        "http://127.0.0.1/cb",
        "http://127.0.0.1:3000/cb",
        "http://[::1]/cb",
        "http://localhost:3000/cb?x",
        "com.example.app:/oauth2redirect",
        "com.example.app://callback",
        "com.example.app:callback",
        &longest,
    ] {
        assert_eq!(uri(text).as_str(), text);
        let json = serde_json::to_string(&uri(text)).expect("JSON");
        assert_eq!(
            serde_json::from_str::<RedirectUri>(&json).expect("a redirect URI"),
            uri(text)
        );
    }
}

#[test]
fn ca03_bad_redirect_uris_are_refused() {
    use RedirectUriError::{Empty, Fragment, Host, Http, Malformed, Port, Scheme, TooLong, User};
    let too_long = format!("https://a.example/{}", "x".repeat(2031));
    for (text, error) in [
        ("", Empty),
        (&*too_long, TooLong),
        ("javascript:alert(1)", Scheme),
        ("javascript://app.example/%0Aalert(1)", Scheme),
        ("data:text/html,x", Scheme),
        ("file:///etc/passwd", Scheme),
        ("vbscript:x", Scheme),
        ("myapp:/cb", Scheme),
        ("ftp://app.example/cb", Scheme),
        (".app:/cb", Malformed),
        ("a..b:/cb", Scheme),
        ("app.:/cb", Scheme),
        ("http://app.example/cb", Http),
        ("http:/cb", Http),
        ("http://127.0.0.2/cb", Http),
        ("http://127.1/cb", Http),
        ("http://2130706433/cb", Http),
        ("http://0x7f.1/cb", Http),
        ("http://[::ffff:127.0.0.1]/cb", Http),
        ("http://127.0.0.1.evil.example/cb", Http),
        ("http://LOCALHOST/cb", Http),
        ("https://*.example/cb", Host),
        ("https:///cb", Host),
        ("https:cb", Host),
        ("https:/app.example/cb", Host),
        ("https://", Host),
        ("https://:443/cb", Host),
        ("https://127.1/cb", Host),
        ("https://0x7f.1/cb", Host),
        ("https://ex%61mple.com/cb", Host),
        ("https://[::0:1]/cb", Host),
        ("https://[::1/cb", Host),
        ("https://app.example:/cb", Port),
        ("https://app.example:65536/cb", Port),
        ("https://app.example:+1/cb", Port),
        ("http://127.0.0.1:x/cb", Port),
        ("https://app.example/cb#", Fragment),
        ("https://app.example/cb#code", Fragment),
        ("com.example.app:/cb#x", Fragment),
        ("https://me@app.example/cb", User),
        ("https://@app.example/cb", User),
        ("http://127.0.0.1@evil.example/cb", User),
        ("http://localhost:1@evil.example/cb", User),
        ("com.example.app://me@x/cb", User),
        ("/cb", Malformed),
        ("app.example/cb", Malformed),
        ("HTTPS://app.example/cb", Malformed),
        ("https://app.example\\cb", Malformed),
        ("https://app.example/\tcb", Malformed),
        ("https://app.example/cb\r\nx", Malformed),
        (" https://app.example/cb", Malformed),
        ("https://b\u{fc}cher.example/cb", Malformed),
        ("https://app.example/%zz", Malformed),
        ("https://app.example/%4", Malformed),
        ("https://app.example/[x]", Malformed),
        ("https://app.example/\"", Malformed),
    ] {
        assert_eq!(RedirectUri::parse(text), Err(error), "{text}");
    }
}

#[test]
fn c001_what_is_wrong_in_a_document_is_named() {
    let read = serde_json::from_str::<Vec<RedirectUri>>(
        r#"["https://app.example/cb","http://app.example/cb"]"#,
    );
    let error = read.expect_err("http").to_string();
    assert!(
        error.contains("'http://app.example/cb' must use https"),
        "{error}"
    );
}

#[test]
fn ca01_ca02_redirect_uris_match_to_the_letter_but_for_loopback_ports() {
    for (registered, same, others) in [
        (
            "https://app.example/cb",
            &["https://app.example/cb"][..],
            &[
                "https://app.example/cb/",
                "https://app.example/cbx",
                "https://app.example/c",
                "https://app.example",
                "https://app.example/CB",
                "https://APP.example/cb",
                "https://app.example/cb?",
                "https://app.example/cb?x=1",
                "https://app.example/cb#",
                "https://app.example/cb#x",
                "https://app.example/%63b",
                "https://app.example/x/../cb",
                "https://app.example/%2e%2e/cb",
                "https://app.example/./cb",
                "https://me@app.example/cb",
                "https://app.example@evil.example/cb",
                "https://app.example:443/cb",
                "https://app.example:8443/cb",
                "http://app.example/cb",
                "https:\\\\app.example/cb",
                "https://app.example\\cb",
                "https://app.example/\tcb",
                " https://app.example/cb",
                "https://app.example.evil.example/cb",
                "",
            ][..],
        ),
        (
            "https://xn--bcher-kva.example/cb",
            &["https://xn--bcher-kva.example/cb"],
            &["https://b\u{fc}cher.example/cb"],
        ),
        (
            "http://127.0.0.1/cb?x=1",
            &[
                "http://127.0.0.1/cb?x=1",
                "http://127.0.0.1:1/cb?x=1",
                "http://127.0.0.1:65535/cb?x=1",
            ],
            &[
                "http://127.0.0.1:3000/cb",
                "http://127.0.0.1:3000/cb?x=2",
                "http://127.0.0.1:3000/other?x=1",
                "http://127.0.0.1:3000//cb?x=1",
                "http://127.0.0.1:/cb?x=1",
                "http://127.0.0.1:65536/cb?x=1",
                "http://127.0.0.1:+1/cb?x=1",
                "http://127.0.0.1:-1/cb?x=1",
                "http://127.0.0.1:1:2/cb?x=1",
                "http://127.0.0.2:3000/cb?x=1",
                "http://127.1:3000/cb?x=1",
                "http://2130706433/cb?x=1",
                "http://0x7f.1/cb?x=1",
                "http://[::1]:3000/cb?x=1",
                "http://[::ffff:127.0.0.1]/cb?x=1",
                "http://localhost/cb?x=1",
                "http://127.0.0.1.evil.example/cb?x=1",
                "http://127.0.0.1@evil.example/cb?x=1",
                "http://127.0.0.1:80@evil.example/cb?x=1",
                "https://127.0.0.1/cb?x=1",
                "https://127.0.0.1:3000/cb?x=1",
            ],
        ),
        (
            "http://127.0.0.1:3000",
            &[
                "http://127.0.0.1:3000",
                "http://127.0.0.1:4000",
                "http://127.0.0.1",
            ],
            &[
                "http://127.0.0.1:@evil.example",
                "http://127.0.0.1:3000@evil.example",
                "http://127.0.0.1:3000.evil.example",
                "http://127.0.0.1:3000/",
            ],
        ),
        (
            "http://[::1]:3000/cb",
            &[
                "http://[::1]:3000/cb",
                "http://[::1]:4000/cb",
                "http://[::1]/cb",
            ],
            &[
                "http://[::1]:4000/cc",
                "http://[::2]:3000/cb",
                "http://127.0.0.1:3000/cb",
            ],
        ),
        (
            "http://localhost:3000/cb",
            &["http://localhost:3000/cb"],
            &[
                "http://localhost:4000/cb",
                "http://localhost/cb",
                "http://127.0.0.1:3000/cb",
            ],
        ),
        (
            "https://127.0.0.1:3000/cb",
            &["https://127.0.0.1:3000/cb"],
            &["https://127.0.0.1:4000/cb", "http://127.0.0.1:3000/cb"],
        ),
        (
            "com.example.app:/cb",
            &["com.example.app:/cb"],
            &[
                "com.example.app:/cb/",
                "com.example.app://cb",
                "com.example.app.evil:/cb",
            ],
        ),
    ] {
        let registered = uri(registered);
        for asked in same {
            assert!(registered.matches(asked), "{registered} {asked}");
        }
        for asked in others {
            assert!(!registered.matches(asked), "{registered} {asked}");
        }
    }
}

#[test]
fn ca02_what_matches_is_a_redirect_uri() {
    let path = "x".repeat(RedirectUri::MAX_BYTES - "http://127.0.0.1:80/".len());
    let registered = uri(&format!("http://127.0.0.1:80/{path}"));
    assert!(registered.matches(&format!("http://127.0.0.1:81/{path}")));
    assert!(!registered.matches(&format!("http://127.0.0.1:810/{path}")));
}

#[test]
fn a_program_on_the_persons_machine_is_told_from_a_site() {
    for (text, host, is_native) in [
        ("https://App.example:1/cb", Some("App.example"), false),
        ("https://127.0.0.1/cb", Some("127.0.0.1"), true),
        ("http://[::1]:1/cb", Some("[::1]"), true),
        ("http://localhost/cb", Some("localhost"), true),
        ("com.example.app://host/cb", None, true),
        ("com.example.app:/cb", None, true),
    ] {
        let uri = uri(text);
        assert_eq!((uri.host(), uri.is_native()), (host, is_native), "{text}");
    }
}

#[test]
fn c003_a_home_page_is_https() {
    let page = Homepage::parse("https://app.example/about?x").expect("a home page");
    assert_eq!(page.as_str(), "https://app.example/about?x");
    for text in [
        "",
        "app.example",
        "http://app.example",
        "http://localhost/",
        "javascript:alert(1)",
        "com.example.app:/about",
        "https://me@app.example/",
        "https://app.example/#x",
    ] {
        assert_eq!(Homepage::parse(text), Err(HomepageError), "{text}");
    }
}

proptest! {
    /// What is accepted goes where it says, in the eyes of a URL library as browsers have it.
    #[test]
    fn a_redirect_uri_leads_to_the_host_that_it_names(
        text in r"(https?|com\.app)(:|://|:/|:\\\\)([a-z0-9.@:%\[\]*]{0,12}|127\.0\.0\.1|\[::1\]|localhost)(:[0-9]{0,5})?[/?#\\@a-z.]{0,6}"
    ) {
        if let Ok(uri) = RedirectUri::parse(&text) {
            let url = Url::parse(&text).expect("a URL");
            prop_assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
            if let Some(host) = uri.host() {
                prop_assert!(url.host_str().is_some_and(|shown| shown.eq_ignore_ascii_case(host)));
            }
            prop_assert!(uri.matches(&text));
        }
    }

    /// What matches differs in nothing but the port.
    #[test]
    fn what_matches_leads_to_the_same_place(asked in r"http://(127\.0\.0\.1|\[::1\])[:@.0-9/cb]{0,10}") {
        let registered = uri("http://127.0.0.1:3000/cb");
        if registered.matches(&asked) {
            let mut url = Url::parse(&asked).expect("a URL");
            url.set_port(Some(3000)).expect("a port");
            prop_assert_eq!(url.as_str(), "http://127.0.0.1:3000/cb");
        }
    }
}
