"""The report: one self-contained HTML page."""

import base64
import html
import io
import json
from pathlib import Path

import numpy as np

from . import _core, plots
from .cad import compare
from .files import write_text
from .section import cross_section
from .table import derived, groups, parameters

HEADLINE = {"Kv": "speed constant", "Kt": "torque constant", "Rs": "phase resistance", "Ld": "inductance", "psi_pm": "flux linkage", "J": "rotor inertia", "mass": "mass"}
SCALES = (("", 1.0), ("m", 1e-3), ("µ", 1e-6), ("n", 1e-9), ("p", 1e-12))
RPM = 30 / np.pi


def _number(value: float, unit: str) -> str:
    """A value with its unit as a person writes it."""
    special = {"rad/s/V": (RPM, "rpm/V"), "kg*m^2": (1e7, "g cm²"), "kg": (1e3, "g") if abs(value) < 1 else (1.0, "kg"), "1": (1.0, "")}
    if unit in special:
        scale, text = special[unit]
        return f"{value * scale:.4g} {text}".strip()
    shown = unit.replace("ohm", "Ω").replace("*", "·").replace("^0.5", "^½")
    if value == 0 or not np.isfinite(value) or unit in ("K", "degC"):
        return f"{value:.4g} {shown}"
    prefix, scale = next(((p, s) for p, s in SCALES if abs(value) >= 0.9999 * s), SCALES[-1])
    return f"{value / scale:.4g} {prefix}{shown}"


def _svg(fig) -> str:
    buffer = io.StringIO()
    fig.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _png(fig, dpi: int = 160) -> str:
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=dpi)
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'


def operating_map(motor, d):
    """Speed axis, torque limit, and a grid of efficiency below it."""
    u_max, i_max = motor.drive.u_dc / np.sqrt(3), motor.drive.i_max
    omega = np.linspace(0, 2 * u_max / (d.pole_pairs * d.psi_pm), 160)
    limit = d.torque_limit(omega, i_max, u_max)
    torque = np.where(limit[:, 5] > 0, limit[:, 0], 0.0)
    end = np.flatnonzero(torque > 1e-3 * torque.max())[-1] + 2
    omega, torque, limit = omega[:end], torque[:end], limit[:end]
    share = np.linspace(0, 1, 60)[:, None]
    speed, load = np.broadcast_to(omega, (60, len(omega))), share * torque
    id_, iq = share * limit[:, 1], share * limit[:, 2]  # a straight path to the limit's current
    copper = 1.5 * d.Rs * (id_**2 + iq**2)
    iron = np.array([d.iron_loss(motor, w) for w in omega])[None, :]
    drag = d.B * speed + d.T_coulomb
    shaft = np.maximum(load - drag, 0) * speed
    efficiency = shaft / np.maximum(load * speed + copper + iron, 1e-12)
    return omega, torque, speed, load, efficiency


def _checks(motor, run, cad) -> list[tuple[bool, str]]:
    """What was checked on the way, each with its figure."""
    rows = []
    if run is not None and "energy_in" in run:
        residual = abs(run.energy_residual)
        rows.append((residual < 1e-4, f"energy balance of the spin-up closes to {residual:.1e}"))
        rows.append((bool(np.isfinite(run.block).all()), f"{len(run)} samples, all finite"))
    if cad:
        worst = max(compare(motor, cad).values())
        rows.append((worst < 1e-9, f"closed-form mass and inertia agree with OpenCASCADE to {worst:.1e}"))
        rows.append((cad["valid"], f"{cad['solids']} solids, all valid, built in {cad['build_ms']:.0f} ms of CPU time"))
    if motor.has_geometry and motor.stator.slots:
        m, d, dims = motor.magnet, motor.derive(), motor.dims()
        gap = abs(dims["r_gap"] - dims["r_magnet"])
        naive = _core.naive_gap_field(m.Br, m.mu_r, m.thickness, gap, d.carter, dims["arc"])
        rows.append((True, f"gap field {d.B_gap:.3f} T by the two-dimensional solution (the one-dimensional formula would say {naive:.3f} T)"))
        rows.append((d.slot_fill < 0.6, f"copper fills {100 * d.slot_fill:.0f} % of the slot"))
        rows.append((d.B_tooth < 1.9, f"teeth carry {d.B_tooth:.2f} T, yoke {d.B_yoke:.2f} T (open circuit)"))
    return rows


def _viewer(mesh_path) -> str:
    """A picture of the solids, and over it a WebGL view to turn where the browser has one."""
    with np.load(mesh_path) as z:
        about = json.loads(str(z["about"]))
        parts = [(z[f"{a[0]}.vertices"], z[f"{a[0]}.faces"], plots.part_colour(a[2], a[3] if len(a) > 3 else ""), a[1]) for a in about]
    hidden = {a[0] for a in about if a[2] == "housing"}
    shown = [p for p, a in zip(parts, about, strict=True) if a[0] not in hidden]
    picture = _png(plots.solid_picture([p[:3] for p in shown]))
    scale = 1 / max(float(np.abs(p[0]).max()) for p in shown)
    packed = []
    for vertices, faces, colour, body in shown:
        flat = (vertices[faces].reshape(-1, 3) * scale * 32767).astype("<i2")
        packed.append({"c": colour, "r": body == "rotor", "v": base64.b64encode(flat.tobytes()).decode()})
    return f'<div class="view">{picture}<canvas></canvas></div><script>{VIEWER.replace("@PARTS@", json.dumps(packed))}</script>'


VIEWER = """
(()=>{const box=document.currentScript.previousElementSibling,cv=box.querySelector('canvas'),gl=cv.getContext('webgl',{antialias:true});
if(!gl)return;const parts=@PARTS@;
const sh=(t,s)=>{const o=gl.createShader(t);gl.shaderSource(o,s);gl.compileShader(o);return o};
const pr=gl.createProgram();
gl.attachShader(pr,sh(gl.VERTEX_SHADER,'attribute vec3 p,n;uniform mat4 m;uniform float r;varying vec3 w;void main(){float c=cos(r),s=sin(r);mat3 R=mat3(c,s,0.,-s,c,0.,0.,0.,1.);w=mat3(m)*(R*n);vec4 q=m*vec4(R*p,1.);gl_Position=vec4(q.xy,q.z*.3,1.);}'));
gl.attachShader(pr,sh(gl.FRAGMENT_SHADER,'precision mediump float;uniform vec3 k;varying vec3 w;void main(){float d=max(dot(normalize(w),normalize(vec3(.4,.6,-.8))),0.);gl_FragColor=vec4(k*(.42+.62*d),1.);}'));
gl.linkProgram(pr);gl.useProgram(pr);const U=n=>gl.getUniformLocation(pr,n),A=n=>gl.getAttribLocation(pr,n);
for(const q of parts){const b=Uint8Array.from(atob(q.v),c=>c.charCodeAt(0)),v=Float32Array.from(new Int16Array(b.buffer),x=>x/32767),f=new Float32Array(v.length*2);
for(let i=0;i<v.length;i+=9){const e=[v[i+3]-v[i],v[i+4]-v[i+1],v[i+5]-v[i+2]],g=[v[i+6]-v[i],v[i+7]-v[i+1],v[i+8]-v[i+2]],n=[e[1]*g[2]-e[2]*g[1],e[2]*g[0]-e[0]*g[2],e[0]*g[1]-e[1]*g[0]];
for(let j=0;j<3;j++){f.set(v.subarray(i+3*j,i+3*j+3),(i/3+j)*6);f.set(n,(i/3+j)*6+3)}}
q.n=v.length/3;q.b=gl.createBuffer();gl.bindBuffer(gl.ARRAY_BUFFER,q.b);gl.bufferData(gl.ARRAY_BUFFER,f,gl.STATIC_DRAW);q.k=[1,3,5].map(i=>parseInt(q.c.substr(i,2),16)/255);}
let az=-.9,el=.5,zoom=.95,spin=0,last=0,drag=null;gl.enable(gl.DEPTH_TEST);
const draw=()=>{const w=cv.clientWidth,h=cv.clientHeight,d=devicePixelRatio||1;cv.width=w*d;cv.height=h*d;gl.viewport(0,0,w*d,h*d);gl.clearColor(1,1,1,1);gl.clear(gl.COLOR_BUFFER_BIT|gl.DEPTH_BUFFER_BIT);
const a=Math.cos(az),b=Math.sin(az),c=Math.cos(el),s=Math.sin(el),z=zoom*Math.min(1,w/h),x=z*h/w;
gl.uniformMatrix4fv(U('m'),false,[-b*x,-s*a*z,-c*a,0,a*x,-s*b*z,-c*b,0,0,c*z,-s,0,0,0,0,1]);
for(const q of parts){gl.bindBuffer(gl.ARRAY_BUFFER,q.b);for(const[n,o]of[['p',0],['n',12]]){gl.enableVertexAttribArray(A(n));gl.vertexAttribPointer(A(n),3,gl.FLOAT,false,24,o)}
gl.uniform1f(U('r'),q.r?spin:0);gl.uniform3fv(U('k'),q.k);gl.drawArrays(gl.TRIANGLES,0,q.n)}};
const tick=t=>{if(!matchMedia('(prefers-reduced-motion: reduce)').matches)spin+=Math.min(t-last,50)*.0008;last=t;draw();requestAnimationFrame(tick)};
cv.onpointerdown=e=>{drag=[e.clientX,e.clientY];cv.setPointerCapture(e.pointerId)};cv.onpointerup=()=>drag=null;
cv.onpointermove=e=>{if(drag){az-=(e.clientX-drag[0])*.01;el=Math.max(-1.5,Math.min(1.5,el+(e.clientY-drag[1])*.01));drag=[e.clientX,e.clientY]}};
cv.onwheel=e=>{zoom=Math.max(.4,Math.min(4,zoom*Math.exp(-e.deltaY*.001)));e.preventDefault()};
box.classList.add('live');requestAnimationFrame(tick)})();
"""

STYLE = """
:root{color-scheme:light}*{box-sizing:border-box}body{margin:0;background:#f5f7fa;color:#1f2933;font:15px/1.5 system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}
header{background:#102a43;color:#fff;padding:2.2rem max(1.5rem,calc(50vw - 560px))}header h1{margin:0;font-size:1.9rem;font-weight:650}header p{margin:.4rem 0 0;max-width:70ch;color:#bcccdc}
main{max-width:1120px;margin:0 auto;padding:1.5rem}.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:.8rem;margin:-3rem 0 1.5rem}
.card{background:#fff;border-radius:10px;padding:.8rem 1rem;box-shadow:0 1px 3px #0002}.card b{display:block;font-size:1.05rem}.card span{color:#7b8794;font-size:.82rem}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(480px,100%),1fr));gap:1.2rem}section{background:#fff;border-radius:10px;padding:1.2rem;box-shadow:0 1px 3px #0002;min-width:0}
section.wide{grid-column:1/-1}h2{margin:0 0 .6rem;font-size:1.05rem}section>p{margin:.5rem 0 0;color:#52606d;font-size:.9rem}svg,img{display:block;width:100%;height:auto}
.view{position:relative;min-height:480px}.view canvas{display:none;position:absolute;inset:0;width:100%;height:100%;cursor:grab;touch-action:none}.view.live canvas{display:block}.view.live img{visibility:hidden}
table{border-collapse:collapse;width:100%;font-size:.9rem}td,th{padding:.28rem .6rem .28rem 0;text-align:left;border-bottom:1px solid #e4e7eb;vertical-align:top}td.n{white-space:nowrap;font-variant-numeric:tabular-nums}td.d{color:#7b8794}
ul.checks{list-style:none;margin:0;padding:0}ul.checks li{padding:.25rem 0 .25rem 1.7rem;position:relative}ul.checks li:before{content:'✓';position:absolute;left:.2rem;color:#2f9e6e;font-weight:700}ul.checks li.bad:before{content:'!';color:#d64545}
.scroll{overflow-x:auto}.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(440px,100%),1fr));gap:0 2rem}footer{max-width:1120px;margin:0 auto;padding:0 1.5rem 2rem;color:#7b8794;font-size:.85rem}
@media print{body{background:#fff}section,.card{box-shadow:none;border:1px solid #ddd}}
"""


def _section(title: str, body: str, note: str = "", wide: bool = False) -> str:
    text = f"<p>{html.escape(note)}</p>" if note else ""
    return f'<section{" class=wide" if wide else ""}><h2>{html.escape(title)}</h2>{body}{text}</section>'


def _constants(d) -> str:
    rows = [f"<tr><td>{n}</td><td class=n>{_number(getattr(d, n), f.unit)}</td><td class=d>{html.escape(f.doc)}</td></tr>" for n, f in derived().items() if getattr(d, n)]
    return _table(rows)


def _table(rows) -> str:
    """Rows in two columns where the page is wide."""
    half = (len(rows) + 1) // 2
    tables = "".join(f"<div class=scroll><table>{''.join(part)}</table></div>" for part in (rows[:half], rows[half:]))
    return f"<div class=two>{tables}</div>"


def _parameters(motor) -> str:
    rows = []
    for group, doc in groups().items():
        own = [p for p in parameters().values() if p.group == group and (group != "datasheet" or not motor.has_geometry)]
        changed = [p for p in own if motor.get(p.name) != p.default]
        for p in changed:
            value = motor.get(p.name)
            text = value if p.choices else _number(float(value), p.unit)
            rows.append(f"<tr><td>{p.name}</td><td class=n>{text}</td><td class=d>{html.escape(p.doc)}</td></tr>")
    return _table(rows)


def _sweep_section(table) -> str:
    axes = [n for n in table.names if n in parameters() and len(np.unique(table[n])) > 1][:2]
    outputs = [n for n in table.names if n not in parameters() and n != "status"]
    chosen = [n for n in ("i_s.rms", "omega_m.final") if n in outputs] or outputs[:2]
    if not axes:
        return ""
    note = f"{len(table)} runs, {len(table.failed)} refused." + (f" First: {table.failed[0][1]}." if table.failed else "")
    return _section("Sweep", _svg(plots.sweep_maps(table, axes, chosen)), note, wide=True)


def write_report(path, motor, run=None, sweep=None, cad=None, mesh=None) -> Path:
    """Writes the page. `cad` is the answer of build_cad, `mesh` its .npz; parts that are missing are left out."""
    d = motor.derive()
    cards = "".join(f"<div class=card><b>{_number(getattr(d, n), derived()[n].unit)}</b><span>{what}</span></div>" for n, what in HEADLINE.items() if getattr(d, n))
    body = []
    if motor.has_geometry:
        body.append(_section("Cross-section", _svg(plots.cross_section(cross_section(motor))), "Cross: coil side going in; dot: coming out."))
    if mesh:
        body.append(_section("Solids", _viewer(mesh), "Drag to turn, wheel to zoom; the housing is left out. The same solids are in motor.step."))
    body.append(_section("Torque, speed and efficiency", _svg(plots.torque_speed(*operating_map(motor, d))), f"Limits: {motor.drive.i_max:g} A peak phase current, {motor.drive.u_dc:g} V bus. Efficiency counts copper, iron and friction."))
    if run is not None:
        body.append(_section("Spin-up", _svg(plots.spin_up(run, motor.control.speed_ref)), f"{'Field-oriented control' if motor.drive.kind == 'foc' else 'Six-step commutation'}, control period {motor.drive.period * 1e6:g} µs."))
    if sweep is not None:
        body.append(_sweep_section(sweep))
    checks = "".join(f"<li{'' if good else ' class=bad'}>{html.escape(text)}</li>" for good, text in _checks(motor, run, cad))
    body.append(_section("Checks", f"<ul class=checks>{checks}</ul>", wide=True))
    body.append(_section("Parameters", _parameters(motor), "Those that differ from their defaults.", wide=True))
    body.append(_section("Constants", _constants(d), "Per equivalent star phase, peak values.", wide=True))
    head = f"<header><h1>{html.escape(motor.name)}</h1><p>{html.escape(motor.description)}</p><p style='padding-bottom:2rem'>{html.escape(motor.source)}</p></header>"
    page = f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>{html.escape(motor.name)} – polepair</title><style>{STYLE}</style>{head}<main><div class=cards>{cards}</div><div class=grid>{''.join(body)}</div></main><footer>polepair {_core.version}</footer></html>"
    write_text(path, page)
    return Path(path)
