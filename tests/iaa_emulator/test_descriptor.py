"""The 64-byte layouts, field by field."""

import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iaa_emulator import CompletionRecord, Descriptor, ErrorCode, Opcode, Status
from iaa_emulator.hardware.descriptor import CompressFlag, Flag
from tests.iaa_emulator.rig import TEXT, engine_of, new_chain, stepped

U16, U32, U64 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)


def test_where_the_fields_of_a_descriptor_are() -> None:
    descriptor = Descriptor(
        opcode=Opcode.COMPRESS,
        flags=Flag.REQUEST_COMPLETION | Flag.SOURCE2_IS_AECS,
        completion_address=0x1111,
        source_address=0x2222,
        destination_address=0x3333,
        source_size=4096,
        max_destination_size=4095,
        operation_flags=CompressFlag.FLUSH_OUTPUT,
        source2_address=0x4444,
        source2_size=1568,
        interrupt_handle=7,
        pasid=5,
    )
    data = descriptor.pack()
    assert len(data) == 64
    assert struct.unpack_from("<I", data, 0) == (5 | 1 << 31,)
    assert (data[7], struct.unpack_from("<I", data, 4)[0] & 0xFFFFFF) == (0x43, 0x010008)
    assert struct.unpack_from("<QQQ", data, 8) == (0x1111, 0x2222, 0x3333)
    assert struct.unpack_from("<IHH", data, 32) == (4096, 7, 2)
    assert struct.unpack_from("<QII", data, 40) == (0x4444, 4095, 1568)
    assert data[56:] == bytes(8)
    assert Descriptor.unpack(data) == descriptor


def test_where_the_fields_of_a_record_are() -> None:
    record = CompletionRecord(Status.ANALYTICS_ERROR, ErrorCode.COMPRESS_OVERFLOW, 4096, 1379, 0xDEADBEEF)
    data = record.pack()
    assert len(data) == 64
    assert data[:2] == b"\x0a\x19"
    assert struct.unpack_from("<I", data, 4) == (4096,)
    assert struct.unpack_from("<I", data, 24) == (1379,)
    assert struct.unpack_from("<I", data, 32) == (0xDEADBEEF,)
    assert CompletionRecord.unpack(data) == record


@given(
    st.builds(
        Descriptor,
        opcode=st.sampled_from(Opcode),
        flags=st.integers(0, 2**24 - 1).map(Flag),
        completion_address=U64,
        source_address=U64,
        destination_address=U64,
        source_size=U32,
        max_destination_size=U32,
        operation_flags=U16,
        source2_address=U64,
        source2_size=U32,
        interrupt_handle=U16,
        filter_flags=U32,
        num_inputs=U32,
        pasid=st.integers(0, 2**20 - 1),
        privileged=st.booleans(),
    )
)
def test_a_descriptor_survives_its_bytes(descriptor: Descriptor) -> None:
    assert Descriptor.unpack(descriptor.pack()) == descriptor


@pytest.mark.parametrize("size", [0, 63, 65])
def test_another_length_is_refused(size: int) -> None:
    with pytest.raises(struct.error):
        Descriptor.unpack(bytes(size))
    with pytest.raises(struct.error):
        CompletionRecord.unpack(bytes(size))


async def test_the_descriptors_of_a_chain_in_flight() -> None:
    async with stepped(auto=False) as platform:
        chain = new_chain([TEXT] * 3)
        task = asyncio.ensure_future(chain.run())
        await asyncio.sleep(0)
        descriptors = [job.descriptor for job in engine_of(platform).jobs]
        assert [(d.opcode, d.source_size, d.max_destination_size) for d in descriptors] == [
            (Opcode.COMPRESS, 4096, 4096)
        ] * 3
        assert len({d.completion_address for d in descriptors}) == 3
        assert all(d.flags & Flag.SOURCE2_IS_AECS and d.source2_size == 1568 for d in descriptors)
        engine_of(platform).step_all()
        assert await task == 0


def test_numbers_of_the_hardware_print_as_their_names() -> None:
    assert f"{Opcode.COMPRESS} {Status.ANALYTICS_ERROR} {ErrorCode.COMPRESS_OVERFLOW}" == (
        "COMPRESS ANALYTICS_ERROR COMPRESS_OVERFLOW"
    )
    assert "<Status.SUCCESS: 1>" in repr(CompletionRecord(Status.SUCCESS, ErrorCode.NONE, 4096, 1379, 0))
