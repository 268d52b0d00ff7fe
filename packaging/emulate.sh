#!/bin/bash
# Runs the sweeps' lanes on an emulated machine with AVX-512 (Bochs' Skylake-X under Debian's kernel) and compares the bits
# with the other instruction sets: emulate.sh [SECONDS]. For machines that lack the instructions; 2 minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
limit=${1:-900} out=$PWD/build/emulated
mkdir -p "$out/root/dev" "$out/iso/isolinux" "$out/kernel"
packaging/setup.sh packages packaging/debian-emulate.txt
.venv/bin/python setup.py -q build_ext --build-temp "$out/objects" --build-lib "$out/lib" # the very flags that users get
gcc -static -O1 -Icsrc/include tests/c/lanes.c "$out"/objects/csrc/{core/*/*,host/sweep/*,host/clock}.o -lpthread -lm -o "$out/root/lanes"
gcc -O1 -static tests/c/emulated_init.c -o "$out/root/init"
cd "$out"
if [ ! -e iso/vmlinuz ]; then
    image=$(apt-cache depends linux-image-amd64 | awk '/Depends/ { print $2; exit }')
    (cd kernel && apt-get -qq download "$image" 2>/dev/null && dpkg-deb --fsys-tarfile "$image"_*.deb | tar x --wildcards './boot/vmlinuz-*')
    mv kernel/boot/vmlinuz-* iso/vmlinuz && rm -r kernel
fi
(cd root && find . | cpio -o -H newc 2>/dev/null) | gzip -1 > iso/initrd.gz
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 iso/isolinux/
# Bochs 2.7 misreports the compacted XSAVE area, whereupon the kernel would go without AVX.
cat > iso/isolinux/isolinux.cfg <<'EOF'
default lanes
label lanes
 kernel /vmlinuz
 append initrd=/initrd.gz console=ttyS0,115200 mitigations=off lpj=1000000 clocksource=tsc noapic nolapic acpi=off clearcpuid=xsaves,xsavec
EOF
xorriso -as mkisofs -quiet -o lanes.iso -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table iso 2>/dev/null
cat > bochsrc <<'EOF'
cpu: model=corei7_skylake_x, ips=50000000
memory: guest=256, host=256
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
ata0-master: type=cdrom, path=lanes.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=serial.txt
display_library: rfb, options="timeout=0"
log: bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
EOF
echo continue > commands
rm -f serial.txt
timeout "$limit" bochs -q -f bochsrc -rc commands < /dev/null > bochs.txt 2>&1 &
emulator=$!
trap 'kill $emulator 2>/dev/null' EXIT
until grep -qs "emulated: exit" serial.txt; do
    kill -0 $emulator 2>/dev/null || { echo "emulate: the machine stopped or ran past $limit s, see build/emulated/serial.txt"; exit 1; }
    sleep 1
done
tr -d '\r' < serial.txt | grep -E '^(foc|six)|^lanes'
grep -q "lanes: passed, best is avx512" serial.txt
