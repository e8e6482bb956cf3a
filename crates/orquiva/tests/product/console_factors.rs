//! The second factor: an authenticator app, its recovery codes, and passkeys that are none.

use orquiva_core::{Clock as _, Secret, totp};

use crate::browser::{Browser, PASSWORD};
use crate::harness::{Orquiva, on_both};

/// Turns the app on; its secret and the recovery codes.
pub(crate) async fn with_app(orq: &Orquiva, browser: &Browser<'_>) -> (Secret, Vec<String>) {
    let page = browser.get("/admin/profile/totp").await;
    assert_eq!(page.status, 200, "{}", page.location());
    let secret = Secret::new(page.between("class=\"copy\"><code>", "<").unwrap());
    let ticket = page.value("ticket").unwrap();
    let wrong = browser.post("/admin/profile/totp", &[("ticket", &ticket), ("code", "000000")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.says(secret.expose()), "the same secret, to try again");
    let code = totp::code(&secret, orq.clock.now()).unwrap();
    let kept = browser.post("/admin/profile/totp", &[("ticket", &ticket), ("code", &code)]).await;
    assert_eq!(kept.status, 200, "{}", kept.html);
    let codes =
        kept.between("<pre tabindex=\"0\"><code>", "</code>").unwrap().lines().map(str::to_owned).collect();
    (secret, codes)
}

/// Gives the right password in a new browser; it is asked for a code.
async fn at_second_step(orq: &Orquiva) -> (Browser<'_>, String) {
    let browser = orq.browser();
    browser.get("/admin/sign-in").await;
    let asked = browser.post("/admin/sign-in", &[("email", "ana@acme.test"), ("password", PASSWORD)]).await;
    assert_eq!(asked.status, 200);
    let ticket = asked.value("ticket").unwrap();
    assert_eq!(browser.get("/admin").await.status, 303, "the password alone lets nobody in");
    (browser, ticket)
}

#[tokio::test]
async fn with_an_app_the_password_is_not_enough_and_a_code_counts_once() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let (secret, _) = with_app(&orq, &founder).await;
        let code = |orq: &Orquiva| totp::code(&secret, orq.clock.now()).unwrap();

        let (browser, ticket) = at_second_step(&orq).await;
        let spent = code(&orq);
        let tried = browser.post("/admin/sign-in/code", &[("ticket", &ticket), ("code", &spent)]).await;
        assert_eq!(tried.status, 422, "the code that turned it on is spent");
        orq.clock.advance(30_000);
        let form = [("ticket", ticket.as_str()), ("code", &code(&orq)), ("next", "/admin/api-clients")];
        let entered = browser.post("/admin/sign-in/code", &form).await;
        assert_eq!((entered.status, entered.location()), (303, "/admin/api-clients"));
        assert_eq!(browser.get("/admin").await.status, 200);

        // Neither the ticket nor the code is good for another browser.
        let (other, _) = at_second_step(&orq).await;
        assert_eq!(other.post("/admin/sign-in/code", &form).await.status, 422);
        let (late, ticket) = at_second_step(&orq).await;
        orq.clock.advance(5 * 60_000);
        let too_late = late.post("/admin/sign-in/code", &[("ticket", &ticket), ("code", &code(&orq))]).await;
        assert!(too_late.location().starts_with("/admin/sign-in"));
        for forged in ["", "AAAA", "ñ"] {
            let sent = late.post("/admin/sign-in/code", &[("ticket", forged), ("code", &code(&orq))]).await;
            assert!(sent.location().starts_with("/admin/sign-in"));
        }
    })
    .await;
}

#[tokio::test]
async fn guessing_codes_is_as_slow_as_guessing_passwords() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let (secret, _) = with_app(&orq, &founder).await;
        orq.clock.advance(60_000);
        let (browser, ticket) = at_second_step(&orq).await;
        for _ in 0..5 {
            let tried = browser.post("/admin/sign-in/code", &[("ticket", &ticket), ("code", "123")]).await;
            assert_eq!(tried.status, 422);
        }
        let right = totp::code(&secret, orq.clock.now()).unwrap();
        let blocked = browser.post("/admin/sign-in/code", &[("ticket", &ticket), ("code", &right)]).await;
        assert!(blocked.status == 422 && blocked.says("1 min"));
    })
    .await;
}

#[tokio::test]
async fn each_recovery_code_is_good_once_and_new_ones_end_the_old() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let (_, codes) = with_app(&orq, &founder).await;
        assert_eq!(codes.len(), 10);
        assert!(founder.get("/admin/profile").await.says("le quedan: 10"));
        let use_code = async |code: &str| {
            let (browser, ticket) = at_second_step(&orq).await;
            browser.post("/admin/sign-in/code", &[("ticket", &ticket), ("code", code)]).await.status
        };
        assert_eq!(use_code(&codes[0].to_uppercase()).await, 303);
        assert_eq!(use_code(&codes[0]).await, 422);
        assert!(founder.get("/admin/profile").await.says("le quedan: 9"));
        let fresh = founder.post("/admin/profile/recovery", &[]).await;
        assert_eq!(fresh.status, 200);
        assert_eq!(use_code(&codes[1]).await, 422);

        // What weakens the account wants a proof of who it is.
        orq.clock.advance(20 * 60_000);
        founder.get("/admin/profile").await;
        for path in
            ["/admin/profile/totp/remove", "/admin/profile/recovery", "/admin/profile/passkeys/remove"]
        {
            assert!(founder.post(path, &[]).await.location().starts_with("/admin/confirm"), "{path}");
        }
        founder.get("/admin/confirm?next=/admin/profile").await;
        founder.post("/admin/confirm", &[("password", PASSWORD)]).await;
        founder.get("/admin/profile").await;
        assert_eq!(founder.post("/admin/profile/totp/remove", &[]).await.status, 303);
        let plain = orq.browser();
        plain.get("/admin/sign-in").await;
        let entered =
            plain.post("/admin/sign-in", &[("email", "ana@acme.test"), ("password", PASSWORD)]).await;
        assert_eq!(entered.status, 303);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_passkey_is_refused_with_a_word() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let page = founder.get("/admin/profile/passkeys").await;
        let ticket = page.value("ticket").unwrap();
        let made = [
            ("ticket", ticket.as_str()),
            ("name", "Portátil"),
            ("passkey_id", "AAAA"),
            ("client_data", "e30"),
        ];
        let refused = founder.post("/admin/profile/passkeys", &made).await;
        assert_eq!(refused.status, 422);
        assert!(refused.says("no ha creado la llave de acceso"));

        let guest = orq.browser();
        let own = guest.get("/admin/sign-in").await.value("ticket").unwrap();
        for (ticket, what) in
            [(own.as_str(), "no hay ninguna cuenta"), (&ticket, "demasiado tiempo"), ("", "demasiado tiempo")]
        {
            let tried =
                guest.post("/admin/sign-in/passkey", &[("ticket", ticket), ("passkey_id", "AAAA")]).await;
            assert_eq!(tried.status, 422);
            assert!(tried.says(what), "{what}");
        }
    })
    .await;
}
