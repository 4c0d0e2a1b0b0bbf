use super::*;

fn steps(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(str::to_owned).collect()
}

#[test]
fn m070_a_place_in_a_file_is_found_or_the_last_on_the_way_to_it() {
    let in_toml = "# one\n[[client]]\nclient_id = \"a\"\n\n[[client]]\nclient_id = \"b\"\njwks_file = \"b.json\"\nkeys = [\n  { name = \"k\",\n    colour = 1 },\n]\n[client.more]\nx = 1\n";
    let in_json = "{\n\"client\": [\n{\"client_id\": \"a\"},\n{\"client_id\":\n\"b\", \"keys\": [\n{\"name\": \"k\",\n\"colour\":\n1}],\n\"more\": {\"x\": 1}}]}";
    for (pointer, line_in_toml, line_in_json) in [
        ("", 1, 1),
        ("/nowhere", 1, 1),
        ("/client", 2, 2),
        ("/client/0/client_id", 3, 3),
        ("/client/1", 5, 4),
        ("/client/1/missing", 5, 4),
        ("/client/1/client_id", 6, 5),
        ("/client/1/jwks/keys/0", 7, 4),
        ("/client/1/keys/0/colour", 10, 8),
        ("/client/1/more/x", 13, 9),
        ("/client/2", 2, 2),
    ] {
        let line = |text: &str, offset: usize| text[..offset].matches('\n').count() + 1;
        let steps = steps(pointer);
        let found = line(in_toml, toml::offset(in_toml, &steps));
        assert_eq!(found, line_in_toml, "{pointer} in TOML");
        let found = line(in_json, json::offset(in_json, &steps));
        assert_eq!(found, line_in_json, "{pointer} in JSON");
    }
}

#[test]
fn times_of_toml_are_texts() {
    let read = toml::object("a = 2030-01-31T12:00:00Z\nb = [1, true, 'x', { c = 1.5 }]");
    let expected =
        serde_json::json!({"a": "2030-01-31T12:00:00Z", "b": [1, true, "x", {"c": 1.5}]});
    assert_eq!(Value::Object(read.expect("read")), expected);
}
