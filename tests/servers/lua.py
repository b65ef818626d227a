"""The Lua in which Argo CD runs health checks."""

from __future__ import annotations

from tests.servers.golang import Program

PROGRAM = Program(
    "glua",
    "github.com/yuin/gopher-lua",
    "v1.1.2",
    "h1:yF/FjE3hD65tBbt0VXLE13HWS9h34fdzJmrWRXwobGA=",
    command="/cmd/glua",
)
obtain = PROGRAM.obtain
