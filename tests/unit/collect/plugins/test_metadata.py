"""What is read of a plugin without importing it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from treadle.collect.plugins.metadata import NoPlugin, read_metadata
from treadle.errors import SourceInvalid

IMPORT = "from qhana_plugin_runner.util.plugins import QHAnaPluginBase\n"

REALISTIC = {
    "hello/__init__.py": '''
        from http import HTTPStatus
        from typing import Optional

        import flask
        from flask import Flask

        from qhana_plugin_runner.api.util import SecurityBlueprint
        from qhana_plugin_runner.util.plugins import QHAnaPluginBase, plugin_identifier

        _plugin_name = "hello-world"
        __version__ = "v0.2.1"
        _identifier = plugin_identifier(_plugin_name, __version__)

        HELLO_BLP = SecurityBlueprint(_identifier, __name__, description="Demo plugin API.")


        class HelloWorld(QHAnaPluginBase):
            """A plugin."""

            name = _plugin_name
            version = __version__
            description = "Tests the connection of all components " + "by printing some text."
            tags = ["hello-world", f"made-by-{_plugin_name}"]

            def __init__(self, app: Optional[Flask]) -> None:
                super().__init__(app)

            def get_api_blueprint(self):
                return HELLO_BLP

            def get_requirements(self) -> str:
                """What is needed."""
                return "muid~=0.5.3\\ncachetools>=4\\nnumpy; python_version > '3.8'"


        try:
            # the routes are imported last: they need what is defined above
            from . import routes
        except ImportError:
            pass
    ''',
    "hello/routes.py": "from flask import abort\nfrom . import HELLO_BLP\n1 / 0\n",
}


def test_plugin_of_the_usual_form_is_read_whole_and_not_run(write: Any) -> None:
    found = read_metadata(write(REALISTIC) / "hello")
    assert (found.name, found.version) == ("hello-world", "v0.2.1")
    assert found.description == "Tests the connection of all components by printing some text."
    assert found.tags == ("hello-world", "made-by-hello-world")
    assert found.requirements == "muid~=0.5.3\ncachetools>=4\nnumpy; python_version > '3.8'"
    assert found.has_api
    assert found.unknown == ()
    assert not found.derived
    assert found.defined == "class HelloWorld in hello/__init__.py, line 18"


def test_class_may_stand_in_a_module_that_the_entry_module_imports_from(write: Any) -> None:
    folder = write(
        {
            "p/__init__.py": "from .plugin import P\n",
            "p/plugin.py": f"{IMPORT}from .version import V as version\n"
            "from . import texts\n"
            "class P(QHAnaPluginBase):\n    name = 'p'\n    version = version\n    tags = texts.TAGS\n",
            "p/version.py": "V = '1.0'\n",
            "p/texts.py": "ONE = ('a', 'b')\nTAGS = [*ONE, 'c']\n",
        }
    )
    found = read_metadata(folder / "p")
    assert (found.name, found.version, found.tags) == ("p", "1.0", ("a", "b", "c"))
    assert found.defined == "class P in p/plugin.py, line 4"
    assert not found.has_api
    assert found.requirements == ""


def test_members_are_inherited_and_the_common_base_is_no_plugin(write: Any) -> None:
    folder = write(
        {
            "p/__init__.py": "import qhana_plugin_runner.util.plugins as base\nfrom .shared import Shared\n"
            "class P(Shared):\n    name: str = 'p'\n    description = Shared.__doc__\n",
            "p/shared.py": "from qhana_plugin_runner.util.plugins import QHAnaPluginBase as Base\n"
            "class Shared(Base):\n    version = '2'\n    def get_requirements(self): return ''\n",
        }
    )
    found = read_metadata(folder / "p")
    assert (found.name, found.version, found.unknown) == ("p", "2", ("description",))


@pytest.mark.parametrize(
    ("top", "version"),
    [
        ("V: str\nV = '1'", "1"),
        ("V: str = '1'", "1"),
        ("V = '1'\nV = '2'", None),
        ("V = '1'\nfrom elsewhere import V", None),
        ("from elsewhere import V\nV = '1'", None),
        ("V = '1'\nfor V in '23': pass", None),
        ("V = '1'\nwith open('f') as V: pass", None),
        ("V = '1'\nV += '2'", None),
        ("V = '1'\ndef V(): pass", None),
        ("V, W = '1', '2'", None),
        ("try:\n    V = '1'\nexcept ImportError:\n    V = '2'", None),
        ("V = '1'\ndel V", None),
    ],
)
def test_name_that_is_bound_twice_or_elsewhere_is_not_taken_for_a_constant(
    tmp_path: Path, top: str, version: str | None
) -> None:
    (tmp_path / "p.py").write_text(
        f"{top}\n{IMPORT}class P(QHAnaPluginBase):\n    name = 'p'\n    version = V\n"
    )
    found = read_metadata(tmp_path / "p.py")
    assert found.version == version
    assert found.unknown == (("version",) if version is None else ())


@pytest.mark.parametrize(
    ("body", "requirements"),
    [
        ("return 'a\\n' 'b'", "a\nb"),
        ("return dedent('''\n            a\n            b\n        ''').strip()", "a\nb"),
        ("return textwrap.dedent('  a')", "a"),
        ("return '\\n'.join(['a', *MORE])", "a\nb"),
        ("needs = 'a'\n        return f'{needs}=={NUMBER}'", "a==3"),
        ("return self.needed", "c"),
        ("raise NotImplementedError", ""),
        ("raise NotImplementedError('none')", ""),
        ("return open('requirements.txt').read()", None),
        ("if True:\n            return 'a'", None),
        ("return CHANGED", None),
        ("return CYCLE", None),
        ("return HUGE * 3", None),
    ],
)
def test_requirements_are_read_where_they_are_literal(
    write: Any, body: str, requirements: str | None
) -> None:
    text = (
        f"{IMPORT}MORE = ('b',)\nNUMBER = 3\nCHANGED = 'a'\nif NUMBER:\n    CHANGED = 'b'\n"
        "CYCLE = OTHER\nOTHER = CYCLE\nHUGE = 'a'\n"
        "class P(QHAnaPluginBase):\n    name = 'p'\n    version = '1'\n    needed = 'c'\n"
        f"    def get_requirements(self):\n        {body}\n"
    )
    folder = write({})
    (folder / "p.py").write_text(text)
    found = read_metadata(folder / "p.py")
    assert found.requirements == requirements
    assert found.unknown == (("requirements",) if requirements is None else ())


def test_what_is_not_literal_is_told_and_the_rest_is_read(write: Any) -> None:
    folder = write({})
    (folder / "p.py").write_text(
        f"{IMPORT}from importlib.metadata import version as of\n"
        "class P(QHAnaPluginBase):\n    name = 'p'\n    version = of('p')\n    tags = sorted(['a'])\n"
        "    @property\n    def description(self): return ''\n"
    )
    found = read_metadata(folder / "p.py")
    assert (found.name, found.version, found.tags) == ("p", None, ())
    assert found.unknown == ("version", "description", "tags")


def test_text_that_would_grow_without_end_is_not_read(write: Any) -> None:
    lines = [f"A{number} = A{number - 1} + A{number - 1}" for number in range(1, 60)]
    folder = write({})
    (folder / "p.py").write_text(
        "\n".join(
            [IMPORT, "A0 = 'abc'", *lines, "class P(QHAnaPluginBase):", "    name = A59", "    version = '1'"]
        )
    )
    assert read_metadata(folder / "p.py").unknown == ("name",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = 1\n", "p.py has no plugin: no class in it derives from QHAnaPluginBase"),
        (f"{IMPORT}class P(QHAnaPluginBase:\n", "p.py, line 2: invalid syntax"),
        (
            f"{IMPORT}\n\nclass P(QHAnaPluginBase):\n    version = '1'\n",
            "Class P in p.py, line 4, has no name",
        ),
        (f"{IMPORT}class P(QHAnaPluginBase):\n    name = 'p'\n", "line 2, has no version"),
        (
            f"{IMPORT}class P(QHAnaPluginBase):\n    name = 'p q'\n    version = '1'\n",
            "cannot stand in a URL",
        ),
        (
            f"{IMPORT}class P(QHAnaPluginBase):\n    name = 'p'\n    version = 'new'\n",
            "'new', which is none by PEP",
        ),
        (f"{IMPORT}class P(QHAnaPluginBase):\n    name = 3\n    version = '1'\n", "a name that is no text"),
        (
            f"{IMPORT}class P(QHAnaPluginBase):\n    name = 'p'\n    version = '1'\n    tags = 'a'\n",
            "no list of texts",
        ),
        (
            f"{IMPORT}class P(QHAnaPluginBase): ...\nclass Q(QHAnaPluginBase): ...\n",
            "several plugins: class P in p.py, l",
        ),
        ("\0", "p.py is not Python|p.py, line 1"),
    ],
)
def test_broken_plugin_says_what_and_where(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "p.py").write_text(text)
    with pytest.raises(SourceInvalid, match=problem) as caught:
        read_metadata(tmp_path / "p.py")
    assert isinstance(caught.value, NoPlugin) is ("no plugin" in problem)


def test_syntax_error_shows_the_line(tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text("x = 1\nclass P(:\n")
    with pytest.raises(SourceInvalid) as caught:
        read_metadata(tmp_path / "p.py")
    assert caught.value.detail.splitlines()[0] == "class P(:"


def test_imports_that_lead_out_of_the_package_are_not_followed(write: Any) -> None:
    folder = write(
        {
            "p/__init__.py": f"{IMPORT}from ..other import NAME\n"
            "class P(QHAnaPluginBase):\n    name = NAME\n    version = '1'\n",
            "other.py": "NAME = 'stolen'\n",
        }
    )
    assert read_metadata(folder / "p").unknown == ("name",)


def test_class_that_derives_from_itself_through_imports_ends(write: Any) -> None:
    folder = write(
        {
            "p/__init__.py": "from .a import A\nclass P(A): ...\n",
            "p/a.py": "from .b import A\n",
            "p/b.py": "from .a import A\n",
        }
    )
    with pytest.raises(SourceInvalid):
        read_metadata(folder / "p")


ROUTES = """
from .texts import TABLES

@BLP.route("/")
class PluginsView(MethodView):
    def get(self):
        return PluginMetadata(
            title="Counts",
            description=P.instance.description,
            name=P.instance.name,
            version=P.instance.version,
            type=PluginType.processing,
            entry_point=EntryPoint(
                href=url_for("process"),
                ui_href=url_for("ui"),
                data_input=[
                    InputDataMetadata(
                        data_type="entity/list", content_type=TABLES, required=True, parameter="entitiesUrl"
                    ),
                ],
                data_output=[
                    OutputDataMetadata(
                        data_type="plot", content_type="text/html", required=False, name="p.html"
                    ),
                ],
                plugin_dependencies=[
                    PluginDependencyMetadata(
                        parameter="executor", required=True, tags=["circuit-executor", "!old"], version=">=v1"
                    ),
                ],
            ),
            tags=P.instance.tags,
        )
"""


def test_what_a_plugin_takes_and_gives_is_read_from_its_routes(write: Any) -> None:
    folder = write(
        {
            "p/__init__.py": f"{IMPORT}class P(QHAnaPluginBase):\n    name = 'p'\n    version = '1'\n"
            "try:\n    from . import routes\nexcept ImportError:\n    pass\n",
            "p/routes.py": ROUTES,
            "p/texts.py": "TABLES = ['text/csv', 'application/json']\n",
        }
    )
    interface = read_metadata(folder / "p").interface
    assert interface is not None
    assert (interface.title, interface.type) == ("Counts", "processing")
    assert [item.model_dump() for item in interface.inputs] == [
        {
            "name": "entitiesUrl",
            "data_type": "entity/list",
            "content_type": ("text/csv", "application/json"),
            "required": True,
        }
    ]
    assert [(item.name, item.content_type, item.required) for item in interface.outputs] == [
        ("p.html", ("text/html",), False)
    ]
    [needed] = interface.dependencies
    assert (needed.parameter, needed.tags, needed.version) == (
        "executor",
        ("circuit-executor", "!old"),
        ">=v1",
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("content_type=TABLES", "content_type=tables()"),
        ("data_input=[", "data_input=inputs() + ["),
        ('title="Counts",', "**kwargs,"),
        ("@BLP", "x = PluginMetadata(title='again')\n@BLP"),
        ('data_type="plot"', "data_type=3"),
    ],
)
def test_what_is_not_literal_of_it_is_left_unknown(write: Any, old: str, new: str) -> None:
    assert old in ROUTES
    folder = write(
        {
            "p/__init__.py": f"{IMPORT}from . import routes\n"
            "class P(QHAnaPluginBase):\n    name = 'p'\n    version = '1'\n",
            "p/routes.py": ROUTES.replace(old, new),
            "p/texts.py": "TABLES = ['text/csv']\n",
        }
    )
    found = read_metadata(folder / "p")
    assert (found.name, found.interface) == ("p", None)


def test_module_that_the_entry_module_imports_has_to_be_python_too(write: Any) -> None:
    folder = write(
        {
            "p/__init__.py": f"{IMPORT}class P(QHAnaPluginBase):\n    name = 'p'\n    version = '1'\n"
            "from . import routes\n",
            "p/routes.py": "x = 1\ndef\n",
        }
    )
    with pytest.raises(SourceInvalid, match=r"p/routes\.py, line 2"):
        read_metadata(folder / "p")
