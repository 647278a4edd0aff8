"""What a machine file says beside its devices, for pydantic to check. Loaded when such a file is read."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .topology import Topology


class MachineHead(BaseModel):
    """Everything but the devices; keys that are not here are refused, those of the topology as well."""

    model_config = ConfigDict(extra="forbid")

    schema_: Literal["swaplab.machine/1"] = Field(alias="schema")
    version: str = ""
    description: str = ""
    topology: Topology
