//! The server and the help at the console.

use grantor_testkit::binary::Server;

#[test]
fn m130_the_server_says_how_it_is_and_its_configuration_without_secrets() {
    let server = Server::start_with(
        "[token]\nlifetime_seconds = 240\n\n[outgoing]\nproxy = \"http://user:hidden-word@proxy.example:3128\"\n",
    );
    let mut console = server.console_as("rita", "reader");
    let page = console.page("/server");
    for text in [
        "<h1>Server</h1>",
        &*format!("<code class=\"id\">{}</code>", server.issuer),
        "✓ ready: the next request can be decided",
        env!("CARGO_PKG_VERSION"),
        "<code>[token]</code>",
        "<dt><code>lifetime_seconds</code></dt><dd>240</dd>",
        "http://proxy.example:3128",
        "<code>grantor backup FILE</code>",
        "<code>master.key</code>",
    ] {
        assert!(page.body.contains(text), "{text}: {page:?}");
    }
    assert!(!page.body.contains("hidden-word"), "{page:?}");
    let language = ("Accept-Language".to_owned(), "fr".to_owned());
    console.browser.headers.push(language);
    let page = console.page("/server");
    assert!(page.body.contains("<h1>Serveur</h1>"), "{page:?}");
}

#[test]
fn m131_help_has_the_keys_of_every_page_of_the_menu_and_the_words_of_the_field() {
    let server = Server::start();
    let mut console = server.console_as("rita", "reader");
    let page = console.page("/help");
    let keys: Vec<_> = page.body.split(" data-key=\"").skip(1).collect();
    let mut keys: Vec<_> = keys
        .iter()
        .filter_map(|rest| rest.split('"').next())
        .collect();
    for key in &keys {
        let listed = match *key {
            "?" => page.body.contains("<kbd>?</kbd>"),
            key => page
                .body
                .contains(&format!("<kbd>g</kbd> then <kbd>{key}</kbd>")),
        };
        assert!(listed, "{key}: {page:?}");
    }
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!((keys.len(), count), (15, 15));
    assert!(
        page.body.contains("<button type=\"button\" data-keys>"),
        "{page:?}"
    );
    for term in ["Assertion", "Introspection", "Passkey", "Trust"] {
        assert!(page.body.contains(&format!("<dt>{term}</dt>")), "{term}");
    }
    let language = ("Accept-Language".to_owned(), "fr".to_owned());
    console.browser.headers.push(language);
    let page = console.page("/help");
    assert!(page.body.contains("<dt>Clé d&#39;accès</dt>"), "{page:?}");
}
