//! What people may call themselves, and files that are none: shown as it is, or refused with a word; nothing breaks, and
//! nothing runs.

use axum::body::Body;
use http::Method;
use orquiva_core::Scopes;
use orquiva_store::{member, user};
use serde_json::json;

use crate::browser::{Browser, PASSWORD, Seen};
use crate::harness::{Caller, Orquiva, on_both};

/// Scripts, markup, formulas, templates, two ways to write, very long ones, letters beyond the usual.
fn names() -> Vec<String> {
    let long = format!("{} fin", "Larguísima ".repeat(17));
    let all = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "</title></textarea></select><svg onload=alert(1)>",
        "=HYPERLINK(\"http://evil.test\")",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "{{7*7}} ${7*7} <%= 7*7 %>",
        "&lt;b&gt; &amp; &#60;",
        "محمد بن عبد الله",
        "שרה כהן (מנהלת)",
        "山田 太郎",
        "Zoë 👩‍👩‍👧 Ñandú",
        "Robert'); drop table employee;--",
        &long,
    ];
    all.iter().map(|name| (*name).to_owned()).collect()
}

/// A text as a page has it.
fn escaped(text: &str) -> [String; 2] {
    let with = |marks: [&str; 5]| {
        let each = ['&', '<', '>', '"', '\''].into_iter().zip(marks);
        each.fold(text.to_owned(), |text, (letter, mark)| text.replace(letter, mark))
    };
    [with(["&#38;", "&#60;", "&#62;", "&#34;", "&#39;"]), with(["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"])]
}

/// Whether a page shows a text as it is, and no tag comes of any.
fn shows(page: &Seen, text: &str, at: &str) {
    assert_eq!(page.status, 200, "{at}");
    assert!(escaped(text).iter().any(|text| page.says(text)), "{at} does not show {text}: {}", page.html);
    for tag in ["<script>", "<img src=x", "<svg onload", " onmouseover='", " onerror=alert(1)>", "49 "] {
        assert!(!page.says(tag), "{at} has {tag}: {text}");
    }
}

/// The cells of a file of comma-separated values.
fn cells(file: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    for letter in file.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' | ';' | '\n' if !quoted => cells.push(String::new()),
            letter => cells.last_mut().unwrap().push(letter),
        }
    }
    cells
}

async fn client_of<'o>(orq: &'o Orquiva, email: &str) -> Caller<'o> {
    let tx = orq.base.store.read().await.unwrap();
    let ana = user::by_email(&tx, email).await.unwrap().unwrap();
    let company = member::companies(&tx, ana.id).await.unwrap()[0].company;
    drop(tx);
    orq.client_of(company, Scopes::all()).await
}

#[tokio::test]
async fn whatever_a_name_says_it_is_shown_and_runs_nowhere() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let client = client_of(&orq, "ana@acme.test").await;
        let boss = client.hire("Jefa").await;
        for (number, name) in names().iter().enumerate() {
            orq.clock.advance(20_000); // at the pace of the plan
            let path = "/admin/employees/new";
            let fields = founder.get(path).await.form("/admin/employees").unwrap();
            let kept = fields.iter().filter(|(name, _)| name == "once");
            let kept = kept.map(|(name, value)| (name.as_str(), value.as_str()));
            let email = format!("n{number}@acme.test");
            let (job, unit) = (format!("Puesto {name}"), format!("{number} {name}"));
            let (job, unit) =
                (job.chars().take(200).collect::<String>(), unit.chars().take(100).collect::<String>());
            let own =
                [("fullName", name.as_str()), ("email", &email), ("jobTitle", &job), ("department", &unit)];
            let fields: Vec<_> = kept.chain(own).chain([("managerId", "jefa@acme.test")]).collect();
            let hired = founder.post("/admin/employees", &fields).await;
            assert_eq!(hired.status, 303, "{name}: {}", hired.html);
            let person = hired.location().split('?').next().unwrap().to_owned();
            orq.work().await;

            let id = person.rsplit('/').next().unwrap();
            let body = client.get(&format!("/v1/employees/{id}")).await.body;
            assert_eq!(body["fullName"], json!(name.trim()), "kept as it is");
            let department = body["departmentId"].as_str().unwrap();
            for path in [
                person.clone(),
                format!("{person}/change"),
                format!("{person}/terminate"),
                format!("{person}/delete"),
                format!("/admin/employees?q={email}"),
                format!("/admin/employees/chart?root={id}"),
                format!("/admin/audit?target={id}"),
                format!("/admin/events?subject={id}"),
            ] {
                shows(&founder.get(&path).await, name.trim(), &path);
            }
            let unit = unit.trim();
            for path in [format!("/admin/departments/{department}"), "/admin/departments".to_owned()] {
                shows(&founder.get(&path).await, unit, &path);
            }
        }
        for path in [
            "/admin/employees/chart".to_owned(),
            format!("/admin/employees/{boss}"),
            "/admin/employees".to_owned(),
        ] {
            shows(&founder.get(&path).await, &names()[0], &path);
        }
        let picture = founder.get("/admin/employees/chart.svg").await;
        shows(&picture, &names()[0], "the picture");
        assert!(!picture.says("49 "));
        for path in ["/admin/employees/export.csv", "/admin/audit/export/csv"] {
            let file = founder.get(path).await.html;
            for cell in cells(&file) {
                let runs = cell.starts_with(['=', '+', '-', '@', '\t']) && cell.parse::<f64>().is_err();
                assert!(!runs, "{path}: a spreadsheet runs {cell}");
            }
        }
    })
    .await;
}

/// Sends a file in a browser.
async fn send(browser: &Browser<'_>, bytes: &[u8]) -> Seen {
    let token = browser.get("/admin/employees/import").await.value("form_token").unwrap();
    let head = format!(
        "--xx\r\nContent-Disposition: form-data; name=\"form_token\"\r\n\r\n{token}\r\n--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../<b>gente.csv\"\r\n\r\n"
    );
    let body = [head.as_bytes(), bytes, b"\r\n--xx--\r\n"].concat();
    let kind = [("content-type", "multipart/form-data; boundary=xx"), ("accept-language", "es")];
    browser.ask(Method::POST, "/admin/employees/import", &kind, Body::from(body)).await
}

#[tokio::test]
async fn a_file_that_is_none_is_refused_with_a_word() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let nothing: Vec<Vec<u8>> = vec![
            Vec::new(),
            b"\xEF\xBB\xBF".to_vec(),
            b"Nombre;Correo\n".to_vec(),
            b"\"".to_vec(),
            vec![b';'; 300],
            format!("Nombre;Correo\n\"{}", "x;".repeat(2_000_000)).into_bytes(),
        ];
        for bytes in nothing {
            let refused = send(&founder, &bytes).await;
            assert_eq!(refused.status, 422, "{:?}", &bytes[..bytes.len().min(20)]);
            assert!(refused.says("file-fault"), "{}", refused.html);
        }
        // What is no text is rows of nonsense, which are shown and can be discarded.
        for bytes in [
            &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xfe;;;\n\x80\x81\n"[..],
            b"PK\x03\x04\n\xff\xff\xff\n\0\0\n",
        ] {
            let sent = send(&founder, bytes).await;
            assert!(matches!(sent.status, 303 | 422), "{}", sent.html);
            if sent.status == 303 {
                let page = founder.get(sent.location()).await;
                assert_eq!(page.status, 200, "{}", page.html);
                assert!(page.says("../&#60;b&#62;gente.csv"), "the file's name is shown as it is");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_file_is_read_however_it_is_encoded_and_however_long() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let text = "Nombre;Apellidos;Correo\r\n\"Íñigo; \"\"el\r\nlargo\"\"\";Núñez;inigo@acme.test\r\n";
        let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        let narrow: Vec<u8> = text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
        for (bytes, encoding) in [
            (text.as_bytes().to_vec(), "UTF-8"),
            ([b"\xEF\xBB\xBF", text.as_bytes()].concat(), "UTF-8"),
            ([b"\xFF\xFE".to_vec(), wide(u16::to_le_bytes)].concat(), "UTF-16LE"),
            ([b"\xFE\xFF".to_vec(), wide(u16::to_be_bytes)].concat(), "UTF-16BE"),
            (wide(u16::to_le_bytes), "UTF-16LE"),
            (narrow, "windows-1252"),
        ] {
            let sent = send(&founder, &bytes).await;
            assert_eq!(sent.status, 303, "{encoding}: {}", sent.html);
            let page = founder.get(sent.location()).await;
            assert!(
                page.says(encoding) && page.says("Íñigo; &#34;el") && page.says("Núñez"),
                "{}",
                page.html
            );
        }
        let row = |number| format!("Persona {number};p{number}@acme.test\n");
        let long: String =
            std::iter::once("Nombre;Correo\n".to_owned()).chain((0..100_000).map(row)).collect();
        let sent = send(&founder, long.as_bytes()).await;
        assert_eq!(sent.status, 303, "{}", sent.html);
        let page = founder.get(sent.location()).await;
        assert!(page.says("100.000 filas"), "{}", page.html);
        let too_long: String = std::iter::once("Nombre;Correo\n".to_owned())
            .chain((0..200_001).map(|_| "a;b\n".to_owned()))
            .collect();
        let refused = send(&founder, too_long.as_bytes()).await;
        assert_eq!((refused.status, refused.says("más de 200.000 filas")), (422, true));
    })
    .await;
}

#[tokio::test]
async fn a_session_is_ended_only_by_who_proved_who_they_are() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let other = orq.browser();
        other.get("/admin/sign-in").await;
        other.post("/admin/sign-in", &[("email", "ana@acme.test"), ("password", PASSWORD)]).await;
        orq.clock.advance(20 * 60_000);
        founder.get("/admin/profile").await;
        let asked = founder.post("/admin/profile/sessions/end", &[]).await;
        assert!(asked.location().starts_with("/admin/confirm"), "{}", asked.location());
        assert_eq!(other.get("/admin").await.status, 200);
        founder.get(asked.location()).await;
        founder.post("/admin/confirm", &[("password", PASSWORD)]).await;
        founder.get("/admin/profile").await;
        assert_eq!(founder.post("/admin/profile/sessions/end", &[]).await.status, 303);
        assert_eq!(other.get("/admin").await.status, 303);
        assert_eq!(founder.get("/admin").await.status, 200);
    })
    .await;
}
