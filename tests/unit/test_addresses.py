"""Which FHIR servers may be called, and where a connection may go."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from cds_service.fhir.addresses import AllowList, Base

LISTED = AllowList(servers=("https://fhir.example.org/r4/", "http://localhost:8090/fhir"))
HOSPITAL = AllowList(networks=(ip_network("10.20.0.0/16"), ip_network("fd12::/16")))


@pytest.mark.parametrize(
    "fhir_server",
    [
        "https://fhir.example.org/r4",
        "https://fhir.example.org/r4/",
        "https://fhir.example.org:443/r4",
        "HTTPS://FHIR.example.org/r4",
        "https://fhir.example.org/r4/tenant",
        "http://localhost:8090/fhir",
    ],
)
def test_a_listed_server_may_be_called(fhir_server: str) -> None:
    assert LISTED.find(fhir_server) is not None


@pytest.mark.parametrize(
    "fhir_server",
    [
        "http://fhir.example.org/r4",
        "https://fhir.example.org",
        "https://fhir.example.org/r4b",
        "https://fhir.example.org/R4",
        "https://fhir.example.org:8443/r4",
        "https://fhir.example.org/r4/../admin",
        "https://fhir.example.org/r4/%2e%2e/admin",
        "https://fhir.example.org/r4%2Ftenant",
        "https://fhir.example.org/r4\\@evil.example.org",
        "https://fhir.example.org@evil.example.org/r4",
        "https://user:secret@fhir.example.org/r4",
        "https://fhir.example.org.evil.example.org/r4",
        "https://evil.example.org/r4",
        "https://evil.example.org/https://fhir.example.org/r4",
        "https://fhir.example.org/r4?a=b",
        "https://fhir.example.org/r4#a",
        "https://fhir.example.org /r4",
        "https://fhir.example.org\t/r4",
        "https://fhir.exаmple.org/r4",
        "https://fhir.example.org:99999/r4",
        "http://localhost:8091/fhir",
        "https://localhost:8090/fhir",
        "http://127.0.0.1:8090/fhir",
        "ftp://fhir.example.org/r4",
        "fhir.example.org/r4",
        "https://",
        "",
    ],
)
def test_no_other_server_may_be_called(fhir_server: str) -> None:
    assert LISTED.find(fhir_server) is None


def test_without_a_list_no_server_may_be_called() -> None:
    for server in ("https://fhir.example.org/r4", "http://localhost:8090", "https://127.0.0.1"):
        assert AllowList().find(server) is None


@pytest.mark.parametrize(
    "fhir_server", ["http://localhost:8090/fhir", "http://127.0.0.1", "http://[::1]:80/a"]
)
def test_in_development_servers_on_this_machine_may_be_called(fhir_server: str) -> None:
    assert AllowList(development=True).find(fhir_server) is not None


@pytest.mark.parametrize("fhir_server", ["http://10.0.0.1", "https://fhir.example.org", "http://a"])
def test_in_development_other_servers_still_need_a_line(fhir_server: str) -> None:
    assert AllowList(development=True).find(fhir_server) is None


@pytest.mark.parametrize(
    "address, is_held",
    [
        ("https://fhir.example.org/r4", True),
        ("https://fhir.example.org/r4?_getpages=1&_count=2", True),
        ("https://fhir.example.org/r4/Condition?patient=ada&code=http://loinc.org|1,2", True),
        ("https://fhir.example.org/r4/Condition?page=%2F..%2F", True),
        ("https://fhir.example.org/r4/../x?page=2", False),
        ("https://fhir.example.org/r4/..;/x?page=2", False),
        ("https://fhir.example.org/r4/..%3B/x", False),
        ("https://fhir.example.org/r4x?page=2", False),
        ("https://fhir.example.org/r4/Condition?a=b#c", False),
        ("https://fhir.example.org/r4/Condition?a=\\b", False),
        ("https://fhir.example.org/r4/Condition?a= b", False),
        ("https://evil.example.org/r4/Condition?page=2", False),
        ("https://fhir.example.org?@evil.example.org/r4", False),
        ("//fhir.example.org/r4", False),
        ("/r4/Condition", False),
    ],
)
def test_an_address_is_of_a_server_or_not(address: str, is_held: bool) -> None:
    base = Base.read("https://fhir.example.org/r4")
    assert base is not None and base.holds(address) is is_held


def test_a_base_without_a_path_holds_its_whole_origin() -> None:
    base = Base.read("https://fhir.example.org")
    assert base is not None
    assert base.holds("https://fhir.example.org/any/thing?a=b")
    assert not base.holds("https://fhir.example.org:444/any/thing")


@given(st.text(max_size=60) | st.text("https:/[]@?#%.\\0", max_size=40))
def test_whatever_stands_in_an_address_it_is_one_of_the_server_or_not(address: str) -> None:
    base = Base.read("https://fhir.example.org/r4")
    assert base is not None
    assert not base.holds(address)
    assert not base.holds(f"https://{address}")
    if base.holds(f"https://fhir.example.org/r4{address}"):
        assert parse_url(f"https://fhir.example.org/r4{address}").host == "fhir.example.org"


PUBLIC = ["93.184.215.14", "2606:4700::1111", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"]
PRIVATE = ["10.20.30.40", "fd12::1", "::ffff:10.20.30.40", "64:ff9b::a14:1e28", "2002:a14:1e28::1"]
NEVER = [
    "0.0.0.0",
    "::",
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "fe80::1",
    "fe80::1%2",
    "fd00:ec2::254",
    "fec0::1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "224.0.0.1",
    "ff02::1",
    "240.0.0.1",
    "255.255.255.255",
    "::7f00:1",
    "64:ff9b:1::a9fe:a9fe",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
]
LOOPBACK = ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_connected_to(address: str) -> None:
    assert AllowList().permits("fhir.example.org", address)


@pytest.mark.parametrize("address", [*PRIVATE, "192.168.1.1", "172.16.0.1", "100.64.0.1"])
def test_a_private_address_may_not_be_connected_to(address: str) -> None:
    assert not AllowList(development=True).permits("fhir.example.org", address)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_of_a_listed_network_may_be_connected_to(address: str) -> None:
    assert HOSPITAL.permits("fhir.example.org", address)
    assert not HOSPITAL.permits("fhir.example.org", "10.21.0.1")


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_those_of_a_fhir_server(address: str) -> None:
    everything = AllowList(networks=(ip_network("0.0.0.0/0"), ip_network("::/0")), development=True)
    assert not everything.permits("fhir.example.org", address)


@pytest.mark.parametrize("address", LOOPBACK)
def test_only_a_name_of_this_machine_leads_to_this_machine(address: str) -> None:
    everything = AllowList(networks=(ip_network("0.0.0.0/0"), ip_network("::/0")), development=True)
    assert everything.permits("localhost", address) and everything.permits("127.0.0.1", address)
    for host in ("fhir.example.org", "localhost.example.org", "2130706433", "0x7f.1"):
        assert not everything.permits(host, address)
