"""Walks through Horizon's rating pages in a real browser; started as a plain script.

Reads a JSON object from standard input: ``url`` of Horizon, ``folder`` of the screenshots, and
``admin`` and ``member`` with ``name``, ``password`` and ``project_id``. Prints a JSON object: name
of each step -> ``status`` of HTTP, ``text`` of the page's main part, ``html``, and ``errors``,
which scripts of the page raised.
"""

import json
import pathlib
import re
import sys

from playwright.sync_api import sync_playwright

#: Milliseconds; the first page compiles style sheets.
PATIENCE = 180_000
#: A metric without usage: the last price of what is used cannot be deleted.
SERVICE = "ip.floating"
#: A metric with usage.
USED = "instance"


class Walk:
    """One user's way through pages, with a screenshot of each."""

    def __init__(self, browser, url, folder, results):
        self.page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
        self.page.set_default_timeout(PATIENCE)
        self.url = url
        self.folder = folder
        self.results = results
        self.errors = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def log_in(self, user):
        """Log in as a user, whose only project is taken."""
        self.page.goto(f"{self.url}/auth/login/")
        self.page.fill("#id_username", user["name"])
        self.page.fill("#id_password", user["password"])
        self.page.click("#loginBtn")
        self.page.wait_for_url(lambda url: "/auth/login" not in url)

    def visit(self, path, step):
        """Open a page."""
        response = self.page.goto(f"{self.url}{path}")
        self.record(step, response.status)

    def record(self, step, status=200):
        """Keep what the page shows."""
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_timeout(2500)
        self.page.screenshot(path=str(self.folder / f"{step}.png"), full_page=True)
        self.results[step] = {
            "status": status,
            "text": self.page.inner_text("body"),
            "html": self.page.content(),
            "errors": self.errors[:],
        }
        self.errors.clear()

    def submit(self, step, **fields):
        """Fill the form of the page, whichever kinds of fields it has, and send it."""
        for name, value in fields.items():
            field = self.page.locator(f"#id_{name}")
            if field.evaluate("each => each.tagName") == "SELECT":
                field.select_option(value, force=True)
            else:
                field.fill(value)
        with self.page.expect_navigation():
            self.page.locator("form input[type=submit], form button[type=submit]").last.click()
        self.record(step)

    def show_mappings(self, service, step):
        """Open the second tab of a service."""
        self.page.goto(f"{self.url}/admin/hashmap/service/{service}/")
        self.page.locator("a[data-toggle=tab]", has_text="Service Mappings").click()
        self.record(step)

    def follow(self, text):
        """Go where a link leads."""
        link = self.page.locator("#content_body a, #main_content a", has_text=text).first
        self.page.goto(self.url + link.get_attribute("href"))


def see_bill(walk, who):
    """Look at what a project costs."""
    walk.visit("/project/rating/", f"{who}-rating")
    walk.visit("/project/reporting/", f"{who}-reporting")


def create_price(walk, metric, step):
    """Create a service and a mapping; return the service's id."""
    walk.page.goto(f"{walk.url}/admin/hashmap/create_service/")
    walk.submit(f"{step}-service", service_type="service", service=metric)
    walk.follow(metric)
    service = re.search(r"/service/([^/?]+)", walk.page.url)[1]
    walk.record(f"{step}-service-details")
    walk.page.goto(f"{walk.url}/admin/hashmap/create_mapping/service/{service}/")
    walk.submit(f"{step}-mapping-created", type="flat", cost="0.25")
    return service


def delete_last_mapping(walk, step):
    """Delete the last mapping of the list that the page shows."""
    # A menu hides the button.
    walk.page.locator(".tab-pane.active [id*=action_delete]").last.evaluate("each => each.click()")
    walk.page.locator(".modal .btn-danger, .modal .btn-primary").first.click()
    walk.page.wait_for_timeout(3000)
    walk.record(step)


def change_prices(walk):
    """Create a service and a mapping, edit the mapping, delete it."""
    walk.visit("/admin/hashmap/", "hashmap-before")
    service = create_price(walk, SERVICE, "hashmap")
    walk.show_mappings(service, "hashmap-mapping-list")
    mapping = re.search(r"edit_mapping/service/([^/\"?]+)", walk.page.content())[1]
    walk.page.goto(f"{walk.url}/admin/hashmap/edit_mapping/service/{mapping}/")
    walk.record("hashmap-mapping-form")
    walk.submit("hashmap-mapping-edited", cost="0.5")
    walk.show_mappings(service, "hashmap-mapping-list-edited")
    delete_last_mapping(walk, "hashmap-mapping-deletion")
    walk.show_mappings(service, "hashmap-mapping-deleted")


def delete_used_price(walk):
    """Try to delete the last price of what is used."""
    service = create_price(walk, USED, "used")
    walk.show_mappings(service, "used-mapping-list")
    delete_last_mapping(walk, "used-mapping-deletion")
    walk.show_mappings(service, "used-mapping-list-after")


def main():
    """Walk as a member, then as an administrator."""
    task = json.load(sys.stdin)
    results = {}
    folder = pathlib.Path(task["folder"])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=task["chromium"], args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        walk = Walk(browser, task["url"], folder, results)
        walk.log_in(task["member"])
        see_bill(walk, "member")
        walk = Walk(browser, task["url"], folder, results)
        walk.log_in(task["admin"])
        see_bill(walk, "admin")
        walk.visit("/admin/rating_summary/", "summary")
        project = task["member"]["project_id"]
        walk.visit(f"/admin/rating_summary/{project}/?type=true", "summary-project")
        walk.visit("/admin/rating_modules/", "modules")
        change_prices(walk)
        delete_used_price(walk)
        browser.close()
    print(json.dumps(results))


main()
