"""The playground in a real browser: choose, read, change, answer; by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import monotonic

import orjson
import pytest
from pages import SCHEMES, SIZES, Scheme, fits, opened, serious_faults
from playwright.sync_api import Browser, FilePayload, Page, expect
from servers import FIXTURES, served

from cds_service import create_app
from cds_service.knowledge import Knowledge
from cds_service.playground.dates import STORY_NOW
from cds_service.settings import Settings

SAMUEL, GEORGE = "samuel-potassium-2-3", "george-no-anxiety"
POTASSIUM = "Potassium, blood or serum"
HOSTILE = (
    '<img src=x onerror="window.ran=1"><script>window.ran=2</script>[a](javascript:window.ran=3)'
)


@pytest.fixture(scope="module")
def playground(cards: Knowledge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a service with a playground and a store listens."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.sqlite3'}"
    settings = Settings(store_url=url, playground=True)
    begun = monotonic()
    application = create_app(
        settings, cards, lambda: STORY_NOW + timedelta(seconds=monotonic() - begun)
    )
    with served(lambda _: application) as address:
        yield address


def _summaries(page: Page) -> list[str]:
    return page.locator(".card h3").all_inner_texts()


# -- how it looks --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("person", "size", "scheme"),
    [
        *((SAMUEL, size, scheme) for size in SIZES for scheme in SCHEMES),
        (GEORGE, "narrow", "dark"),
        ("harold-lorazepam-oxycodone", "wide", "light"),
    ],
)
def test_it_fits_the_window_and_axe_finds_nothing_serious(
    browser: Browser, playground: str, pictures: Path, person: str, size: str, scheme: Scheme
) -> None:
    with opened(browser, f"{playground}/?person={person}", size, scheme, with_axe=True) as page:
        page.screenshot(path=pictures / f"{person}-{size}-{scheme}.jpg", full_page=True)
        assert fits(page)
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert fits(page)
        assert serious_faults(page) == []


@pytest.mark.parametrize("language", ["es", "zh-Hans"])
def test_it_stands_in_another_language(browser: Browser, playground: str, language: str) -> None:
    with opened(browser, playground, with_axe=True) as page:
        before = _summaries(page)
        page.get_by_label("Language").select_option(language)
        expect(page.locator("html")).to_have_attribute("lang", language)
        assert _summaries(page) and _summaries(page) != before
        assert serious_faults(page) == []


# -- choose, read, change ------------------------------------------------------------------------


def test_who_is_chosen_is_shown_and_a_changed_value_changes_the_cards_at_once(
    browser: Browser, playground: str
) -> None:
    with opened(browser, playground) as page:
        page.get_by_label("Invented person").select_option(SAMUEL)
        expect(page.locator(".card.critical h3")).to_contain_text("Potassium 2.3")
        page.get_by_label(POTASSIUM).fill("3.9")
        page.keyboard.press("Tab")
        expect(page.locator(".card.critical")).to_have_count(0)
        expect(page.get_by_role("status").first).to_contain_text("The record is changed")
        assert page.evaluate("document.activeElement.tagName") in ("INPUT", "SELECT")
        page.get_by_label("Age in years").fill("15")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="No card", exact=True)).to_be_visible()
        page.get_by_role("link", name="As on record").click()
        expect(page.locator(".card.critical h3")).to_contain_text("Potassium 2.3")


def test_a_drug_is_added_and_taken_away_again(browser: Browser, playground: str) -> None:
    with opened(browser, f"{playground}/?person=ada") as page:
        page.get_by_label("Add a drug").select_option("lorazepam")
        expect(page.get_by_label("Lorazepam (added)")).to_be_checked()
        page.get_by_label("Add a drug").select_option("opioids")
        expect(page.locator(".card.critical")).to_have_count(0)
        expect(page.locator(".card.warning")).to_have_count(1)
        page.get_by_label("Lorazepam (added)").uncheck()
        expect(page.locator(".card.warning")).to_have_count(0)
        page.get_by_label("Generalized anxiety disorder", exact=True).check()
        expect(page.locator(".out:has(:checked)")).to_have_count(1)


def test_a_test_that_was_never_done_gets_a_value(browser: Browser, playground: str) -> None:
    with opened(browser, f"{playground}/?person=ivan") as page:
        page.get_by_label("Another result").select_option("potassium")
        assert page.evaluate("document.activeElement.id") == "test-value"
        page.keyboard.type("2,4")
        page.keyboard.press("Enter")
        expect(page.locator(".card.critical h3")).to_contain_text("Potassium 2.4")
        expect(page.get_by_label(POTASSIUM)).to_have_value("2.4")


def test_a_value_typed_for_one_test_is_never_that_of_another(
    browser: Browser, playground: str
) -> None:
    with opened(browser, f"{playground}/?person=ivan") as page:
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.post_data or ""))
        page.get_by_label("Another result").select_option("potassium")
        page.keyboard.type("77")
        page.locator("#test").focus()
        page.get_by_label("Another result").select_option("sodium")
        expect(page.locator("#test-value")).to_have_value("")
        expect(page.get_by_label(POTASSIUM)).to_have_value("77")
        expect(page.locator("#test")).to_have_value("sodium")
        page.locator("#test-value").fill("140")
        page.keyboard.press("Enter")
        expect(page.locator("#result-sodium")).to_have_value("140")
        expect(page.locator("#test-value")).to_have_value("")
        page.locator("#test").select_option("tsh")
        expect(page.locator("#test-value")).to_have_value("")
        page.wait_for_timeout(300)
        assert sum("test-value" in body for body in sent) == 2


def test_a_value_typed_while_the_answer_is_on_its_way_stays(
    browser: Browser, playground: str
) -> None:
    with opened(browser, f"{playground}/?person=samuel") as page:
        page.get_by_label("Age in years").fill("50")
        page.keyboard.press("Enter")
        page.get_by_label("Age in years").fill("51")
        expect(page.get_by_role("status").first).to_contain_text("changed")
        expect(page.get_by_label("Age in years")).to_have_value("51")


def test_a_refused_form_keeps_what_was_entered_without_a_script(
    browser: Browser, playground: str
) -> None:
    with opened(
        browser, f"{playground}/?person=samuel", without_script=True, complaints_allowed=1
    ) as page:
        page.get_by_label(POTASSIUM).fill("1,000")
        page.get_by_label("Age in years").fill("50")
        page.get_by_role("button", name="Apply").click()
        expect(page.get_by_role("alert")).to_contain_text("must be a number")
        expect(page.locator("#person")).to_have_value(SAMUEL)
        expect(page.get_by_label("Age in years")).to_have_value("50")
        expect(page.get_by_label(POTASSIUM)).to_have_value("1,000")
        page.get_by_label(POTASSIUM).fill("4")
        page.get_by_role("button", name="Apply").click()
        expect(page.locator(".card.critical")).to_have_count(0)
        expect(page.get_by_label(POTASSIUM)).to_have_value("4")


def test_the_state_of_a_list_changes_what_is_said(browser: Browser, playground: str) -> None:
    with opened(browser, f"{playground}/?person=ada", complaints_allowed=1) as page:
        page.get_by_text("How each list came").click()
        page.get_by_label("medicationRequests").select_option("failed")
        expect(page.locator(".card").first).to_contain_text("could not be had")
        expect(page.locator("#lists")).to_have_attribute("open", "")
        page.get_by_label("conditions", exact=True).select_option("not-sent")
        expect(page.get_by_role("alert")).to_contain_text("conditions")


# -- why -----------------------------------------------------------------------------------------


def test_somebody_without_a_card_is_explained(browser: Browser, playground: str) -> None:
    with opened(browser, f"{playground}/?person=george") as page:
        silence = page.locator(".silence")
        expect(silence).to_contain_text("Why no card?")
        expect(silence).to_contain_text("What would open it")
        # And what it says is true.
        page.get_by_label("Add a problem").select_option("generalized-anxiety-disorder")
        expect(page.locator(".card").first).to_be_visible()


def test_a_card_leads_to_its_rule_and_to_what_would_change_it(
    browser: Browser, playground: str
) -> None:
    with opened(browser, f"{playground}/?person=samuel") as page:
        page.locator(".card").get_by_role("link", name="R30").click()
        rule = page.locator("#rule-R30")
        expect(rule).to_contain_text("What would change it")
        expect(rule.locator(".changes")).to_be_visible()
        page.locator("#facts-found > summary").click()
        expect(page.locator("#fact-potassium")).to_contain_text("2.3 (2026-11-22)")
        expect(page.locator("#facts-missing > summary")).to_contain_text("Missing (")


# -- answer --------------------------------------------------------------------------------------


def test_an_override_with_a_reason_is_kept(browser: Browser, playground: str) -> None:
    with opened(browser, f"{playground}/?person=harold") as page:
        card = page.locator(".card").first
        uuid = card.get_attribute("data-card")
        card.get_by_label("Reason to override").select_option("patient-ineligible")
        card.get_by_role("button", name="Override").click()
        expect(card.locator(".sent")).to_contain_text("Your answer is kept")
        for _ in range(50):  # the card is written beside the call
            trace = page.request.get(f"{playground}/trace/{uuid}")
            if trace.status == 200:
                break
            page.wait_for_timeout(100)
        assert "patient-ineligible" in trace.text()


def test_an_override_needs_a_reason(browser: Browser, playground: str) -> None:
    with opened(browser, f"{playground}/?person=harold") as page:
        card = page.locator(".card").first
        card.get_by_role("button", name="Override").click()
        assert card.locator(".sent").inner_text() == ""


def test_a_suggestion_is_accepted(browser: Browser, playground: str) -> None:
    with opened(browser, f"{playground}/?person=ivan") as page:
        page.get_by_role("button", name="Accept").first.click()
        expect(page.locator(".sent").first).to_contain_text("Your answer is kept")


# -- a record of one's own -----------------------------------------------------------------------


def test_a_file_is_uploaded_and_changed(browser: Browser, playground: str) -> None:
    with opened(browser, playground) as page:
        page.get_by_text("Use a record of your own").click()
        page.get_by_label("or a file").set_input_files(FIXTURES / "patients" / f"{SAMUEL}.json")
        page.locator(".own button").click()
        expect(page.locator(".card.critical h3")).to_contain_text("Potassium 2.3")
        expect(page.get_by_label("Reason to override")).to_have_count(0)
        page.get_by_label(POTASSIUM).fill("4")
        page.keyboard.press("Enter")
        expect(page.locator(".card.critical")).to_have_count(0)
        # In another language it is the same record with the same change.
        page.get_by_label("Language").select_option("es")
        expect(page.locator("html")).to_have_attribute("lang", "es")
        expect(page.locator(".card.critical h3")).to_have_count(0)
        expect(page.locator("#result-potassium")).to_have_value("4")
        page.locator("#person").select_option(GEORGE)
        expect(page.locator(".silence")).to_be_visible()


def test_a_bad_file_gets_a_clear_message(browser: Browser, playground: str) -> None:
    with opened(browser, playground, complaints_allowed=1) as page:
        page.get_by_text("Use a record of your own").click()
        content = b'{"a": 1,\n nonsense'
        bad = FilePayload(name="bad.json", mimeType="application/json", buffer=content)
        page.get_by_label("or a file").set_input_files(files=[bad])
        page.locator(".own button").click()
        expect(page.get_by_role("alert")).to_contain_text("line 1 is not JSON")
        expect(page.get_by_label("Invented person")).to_be_visible()
        alert = page.get_by_role("alert").bounding_box()
        assert alert is not None and alert["y"] + alert["height"] < SIZES["wide"][1]


def test_a_bad_text_comes_back_to_be_mended(browser: Browser, playground: str) -> None:
    with opened(browser, playground, complaints_allowed=1) as page:
        page.get_by_text("Use a record of your own").click()
        page.get_by_label("Text", exact=True).fill('{"resourceType": "Patient", "id": "a"')
        page.locator(".own button").click()
        expect(page.get_by_role("alert")).to_contain_text("is not JSON")
        page.get_by_label("Text", exact=True).press("Control+End")
        page.keyboard.type("}")
        page.locator(".own button").click()
        expect(page.locator("#cards")).to_be_visible()


def test_one_key_sends_one_change(browser: Browser, playground: str) -> None:
    with opened(browser, f"{playground}/?person=samuel") as page:
        sent: list[str] = []
        page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
        page.get_by_label(POTASSIUM).fill("4")
        page.keyboard.press("Enter")
        expect(page.locator(".card.critical")).to_have_count(0)
        assert [request for request in sent if "icon" not in request] == [f"POST {playground}/"]


def test_markup_in_names_and_results_stays_text(browser: Browser, playground: str) -> None:
    text = (FIXTURES / "patients" / f"{SAMUEL}.json").read_text(encoding="utf-8")
    bundle = orjson.loads(text)
    for entry in bundle["entry"]:
        for name in ("code", "medicationCodeableConcept"):
            if name in entry["resource"]:
                entry["resource"][name]["text"] = HOSTILE
                entry["resource"][name]["coding"][0]["display"] = HOSTILE
    with opened(browser, playground) as page:
        page.get_by_text("Use a record of your own").click()
        page.get_by_label("Text", exact=True).fill(orjson.dumps(bundle).decode())
        page.locator(".own button").click()
        expect(page.locator(".card.critical")).to_have_count(1)
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        page.get_by_label("Age in years").fill("50")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("changed")
        assert page.evaluate("window.ran === undefined")
        assert page.locator("main img, main script, a[href^=javascript]").count() == 0
        assert "onerror" in page.locator("main").inner_text()


# -- for everybody -------------------------------------------------------------------------------


def test_everything_works_by_keyboard_alone(browser: Browser, playground: str) -> None:
    with opened(browser, f"{playground}/?person=samuel") as page:
        reached = []
        for _ in range(120):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.id"))
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", reached[-1]
            if reached[-1] == "result-potassium":
                break
        assert {"person", "language", "age"} < set(reached)
        page.keyboard.press("Control+A")
        page.keyboard.type("4.1")
        page.keyboard.press("Enter")
        expect(page.locator(".card.critical")).to_have_count(0)
        assert page.evaluate("document.activeElement.id") == "result-potassium"


def test_without_its_script_all_but_answering_works(browser: Browser, playground: str) -> None:
    with opened(browser, f"{playground}/?person=samuel", without_script=True) as page:
        expect(page.locator(".card.critical")).to_have_count(1)
        expect(page.get_by_role("button", name="Override")).to_have_count(0)
        page.get_by_label(POTASSIUM).fill("4")
        page.get_by_role("button", name="Apply").click()
        expect(page.locator(".card.critical")).to_have_count(0)
        page.get_by_label("Invented person").select_option(GEORGE)
        page.get_by_role("button", name="Show the cards").first.click()
        expect(page.locator(".silence")).to_be_visible()


def test_its_policy_lets_no_other_script_run(browser: Browser, playground: str) -> None:
    with opened(browser, playground, complaints_allowed=1) as page:
        page.evaluate(
            "document.body.appendChild(Object.assign(document.createElement('script'),"
            " {textContent: 'window.ran = true'}))"
        )
        assert page.evaluate("window.ran === undefined")


def test_nothing_is_asked_of_another_address(browser: Browser, playground: str) -> None:
    asked: list[str] = []
    context = browser.new_context()
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{playground}/?person=samuel")
    context.close()
    assert len(asked) >= 4
    assert all(url.startswith(playground) for url in asked)
