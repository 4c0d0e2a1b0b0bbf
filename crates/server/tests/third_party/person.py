"""A person without a browser: signs in, says yes, and is led back to the client."""

import html
import re

import requests

HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
FORM = re.compile(r'<form method="post" action="([^"]+)"[^>]*>(.*?)</form>', re.DOTALL)


class Person:
    """Somebody with a name and a password at an issuer."""

    def __init__(self, issuer, username, password):
        self.issuer, self.username, self.password = issuer, username, password
        self.browser = requests.Session()

    def visit(self, url):
        """Goes to an authorization request, does what the pages ask for, and answers where the client is told."""
        page = self.browser.get(url)
        for _ in range(4):
            assert page.status_code == 200, html.unescape(page.text)
            if refresh := page.headers.get("Refresh"):
                return refresh.partition("url=")[2]
            page = self.answer(page)
        raise AssertionError(f"the pages go round in circles: {page.text}")

    def accept(self, link, password):
        """Accepts an invitation, in a browser of its own."""
        self.browser, self.password = requests.Session(), password
        [(action, body)] = FORM.findall(self.browser.get(link).text)
        return self.post(action, dict(HIDDEN.findall(body)) | {"password": password})

    def answer(self, page):
        """Sends the form that is on the page."""
        for action, body in FORM.findall(page.text):
            fields = dict(HIDDEN.findall(body))
            if 'name="password"' in body:
                return self.post(action, fields | {"username": self.username, "password": self.password})
            if 'name="decision"' in body:
                return self.post(action, fields | {"decision": "allow"})
        raise AssertionError(f"no form to answer: {html.unescape(page.text)}")

    def post(self, action, fields):
        return self.browser.post(self.issuer + action, data=fields, headers={"Origin": self.issuer})
