# SPDX-License-Identifier: Apache-2.0
"""Manual page and shell completion out of docs/reference/command-line.md, whose texts are the binary's own (a test compares
them): reference.py man|bash VERSION < command-line.md"""
import re
import sys

SECTION = re.compile(r"^## (sonde(?: \w+)+)\n+```text\n(.*?)^```", re.MULTILINE | re.DOTALL)
OVERVIEW = re.compile(r"^```text\n(sonde traces.*?)^```", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"(?<![\w-])--[a-z0-9][a-z0-9-]*")
EXITS = re.compile(r"^\| (\d+|[a-z][^|]*) \| ([^|]+) \|$", re.MULTILINE)


def roff(text):
    lines = text.replace("\\", "\\e").replace("-", "\\-").split("\n")
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in lines)


def verbatim(text):
    return f".nf\n{roff(text.rstrip())}\n.fi\n"


def man(page, version):
    overview = OVERVIEW.search(page)[1]
    out = [f'.TH SONDE 1 "" "sonde {version}" "User commands"\n', ".SH NAME\nsonde \\- trace the requests of services without touching them\n",
           ".SH SYNOPSIS\n", verbatim("sonde run [SELECTORS] [OPTIONS]\nsonde run [OPTIONS] -- COMMAND [ARGS...]\n"
                                      "sonde doctor | processes | replay FILE | config check|print|schema | version"),
           ".SH DESCRIPTION\n", verbatim(overview)]
    for title, text in SECTION.findall(page):
        out += [f".SH {roff(title.upper())}\n", verbatim(text)]
    out.append(".SH EXIT STATUS\n")
    for code, meaning in EXITS.findall(page):
        out.append(f".TP\n.B {roff(code)}\n{roff(meaning.strip().replace('`', ''))}\n")
    out.append(".SH FILES\n.TP\n.I /etc/sonde/config.yaml\nconfiguration of sonde.service\n"
               ".TP\n.I /etc/default/sonde\nits environment\n.TP\n.I /var/lib/sonde\nits state\n")
    return "".join(out)


def bash(page, _):
    commands = [title.removeprefix("sonde ") for title, _ in SECTION.findall(page)]
    first = sorted({command.split()[0] for command in commands} | {"version", "help"})
    config = sorted(command.split()[1] for command in commands if command.startswith("config "))
    out = ["# SPDX-License-Identifier: Apache-2.0\n# Completion of sonde for bash; made from the command line reference.\n_sonde() {\n",
           "  local word=${COMP_WORDS[COMP_CWORD]} options=\n",
           "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n",
           f"    COMPREPLY=($(compgen -W '{' '.join(first)}' -- \"$word\"))\n    return\n  fi\n",
           "  if [ \"$COMP_CWORD\" -eq 2 ] && [ \"${COMP_WORDS[1]}\" = config ]; then\n",
           f"    COMPREPLY=($(compgen -W '{' '.join(config)}' -- \"$word\"))\n    return\n  fi\n",
           "  case \"${COMP_WORDS[1]}\" in\n"]
    options = {}
    for title, text in SECTION.findall(page):
        options.setdefault(title.split()[1], set()).update(OPTION.findall(text))
    for name, words in sorted(options.items()):
        out.append(f"    {name}) options='{' '.join(sorted(words))}' ;;\n")
    out.append("  esac\n  case \"$word\" in\n    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n  esac\n}\n"
               "complete -o default -F _sonde sonde\n")
    return "".join(out)


if __name__ == "__main__":
    sys.stdout.write({"man": man, "bash": bash}[sys.argv[1]](sys.stdin.read(), sys.argv[2]))
