"""2D finite elements as an oracle for the closed-form magnetics: flux linkage and synchronous inductance.

Linear magnetostatics (iron mu_r 2500, P2 triangles) on the whole cross-section, from polepair's own outlines.
Run: python tests/oracle/fe2d.py [MOTOR ...]   -> tests/oracle/results.json (stored; the tests read it)
Needs tests/oracle/requirements.txt; about 10 s per rotor position.
"""

import json
import sys
from pathlib import Path

import gmsh
import numpy as np
from matplotlib.path import Path as Polygon
from scipy.sparse.linalg import splu
from skfem import Basis, BilinearForm, ElementTriP2, LinearForm, MeshTri, asm, condense

import polepair as pp

MU0, MU_IRON = 1.25663706212e-6, 2500.0
POSITIONS = 4  # times 3 phases and half-wave symmetry: 12 samples of the electrical period
DEFAULT = ["spmloss-18s16p", "pyleecan-spmsm-015", "pyleecan-spmsm-001", "outrunner-12s14p"]


def rotate(points, angle):
    """Points turned about the axis."""
    c, s = np.cos(angle), np.sin(angle)
    return points @ np.array([[c, s], [-s, c]])


def dense(outline, step):
    """An outline with its arcs broken into chords, as points."""
    out = []
    for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        out.append(a[:2])
        if a[2]:
            t0, t1 = np.arctan2(a[1], a[0]), np.arctan2(b[1], b[0])
            d = (t1 - t0 + np.pi) % (2 * np.pi) - np.pi
            n = max(2, int(abs(d) * np.hypot(*a[:2]) / step))
            out += [np.hypot(*a[:2]) * np.array([np.cos(t), np.sin(t)]) for t in t0 + d * np.arange(1, n) / n]
    return np.array(out)


class Section:
    """The cross-section at one rotor angle: mesh and regions."""

    def __init__(self, motor, angle):
        self.motor, self.dims, self.angle = motor, motor.dims(), angle
        self.slots, self.pairs = int(motor.stator.slots), int(motor.rotor.pole_pairs)
        self.tooth, self.magnet = motor.outline("tooth"), motor.outline("magnet")
        self.gap = abs(self.dims["r_gap"] - self.dims["r_magnet"])
        self.mesh = self.make_mesh()
        self.classify()

    def contour(self):
        """The whole gap-side contour of the stator, closed."""
        pitch = 2 * self.dims["half_pitch"]
        parts = [
            np.column_stack([rotate(self.tooth[:-1, :2], k * pitch), self.tooth[:-1, 2]]) for k in range(self.slots)
        ]
        return np.concatenate(parts)

    def rotor_core(self):
        """Magnet side of the rotor core, closed."""
        d, n = self.dims, 2 * self.pairs
        if self.motor.magnet.shape == "arc":
            t = np.linspace(0, 2 * np.pi, 4 * n, endpoint=False)
            return np.column_stack([d["r_base"] * np.cos(t), d["r_base"] * np.sin(t), np.ones(len(t))])
        h = self.motor.magnet.width / 2
        flat = np.array([[d["r_base"], -h], [d["r_base"], h]])
        parts = [np.column_stack([rotate(flat, self.angle + k * 2 * np.pi / n), [0, 1]]) for k in range(n)]
        return np.concatenate(parts)

    def size(self, r):
        """Element size at radius r: a quarter of the gap in the gap, growing away from it."""
        d = self.dims
        low, high = sorted([d["r_gap"], d["r_magnet"]])
        away = max(0.0, low - r, r - high)
        return min(self.gap / 3 + 0.25 * away, 0.06 * d["r_gap"])

    def make_mesh(self):
        gmsh.initialize()
        gmsh.option.setNumber("General.Terminal", 0)
        occ, d = gmsh.model.occ, self.dims
        outer = max(d["r_yoke"], d["r_core"])

        def surface(outline):
            centre = occ.addPoint(0, 0, 0)
            points = [occ.addPoint(p[0], p[1], 0) for p in outline]
            lines = []
            for i, p in enumerate(outline):
                j = (i + 1) % len(points)
                lines.append(
                    occ.addCircleArc(points[i], centre, points[j]) if p[2] else occ.addLine(points[i], points[j])
                )
            return 2, occ.addPlaneSurface([occ.addCurveLoop(lines)])

        shapes = [surface(self.contour()), surface(self.rotor_core())]
        shapes.append(
            (
                2,
                occ.addDisk(
                    0,
                    0,
                    0,
                    min(d["r_yoke"], max(d["r_core"], 0.2 * outer)),
                    min(d["r_yoke"], max(d["r_core"], 0.2 * outer)),
                ),
            )
        )
        n = 2 * self.pairs
        full = self.motor.magnet.shape == "arc" and self.motor.magnet.arc > 0.999
        if full:
            shapes.append((2, occ.addDisk(0, 0, 0, d["r_magnet"], d["r_magnet"])))
        else:
            for k in range(n):
                m = np.column_stack([rotate(self.magnet[:, :2], self.angle + k * 2 * np.pi / n), self.magnet[:, 2]])
                shapes.append(surface(m))
        occ.fragment([(2, occ.addDisk(0, 0, 0, outer, outer))], shapes)
        occ.synchronize()
        gmsh.model.mesh.setSizeCallback(lambda dim, tag, x, y, z, lc: self.size(np.hypot(x, y)))
        for key in ("MeshSizeExtendFromBoundary", "MeshSizeFromPoints", "MeshSizeFromCurvature"):
            gmsh.option.setNumber(f"Mesh.{key}", 0)
        gmsh.model.mesh.generate(2)
        tags, xyz, _ = gmsh.model.mesh.getNodes()
        _, nodes = gmsh.model.mesh.getElementsByType(2)
        gmsh.finalize()
        index = np.zeros(int(tags.max()) + 1, dtype=int)
        index[tags.astype(int)] = np.arange(len(tags))
        mesh = MeshTri(xyz.reshape(-1, 3)[:, :2].T.copy(), index[nodes.astype(int)].reshape(-1, 3).T.copy())
        return mesh.remove_unused_nodes() if hasattr(mesh, "remove_unused_nodes") else mesh

    def classify(self):
        d = self.dims
        c = self.mesh.p[:, self.mesh.t].mean(axis=1).T
        r, a = np.hypot(*c.T), np.arctan2(c[:, 1], c[:, 0])
        inner = d["sign"] > 0
        pitch = 2 * d["half_pitch"]
        k = np.round(a / pitch)
        local = np.column_stack([r * np.cos(a - k * pitch), r * np.sin(a - k * pitch)])
        far = d["r_bottom"]
        edge = dense(self.tooth, self.gap / 20)
        closing = (
            [[1.2 * far * np.cos(t), 1.2 * far * np.sin(t)] for t in np.linspace(pitch / 2, -pitch / 2, 9)]
            if inner
            else [[0.0, 0.0]]
        )
        tooth = Polygon(np.vstack([edge[: len(edge)], closing])).contains_points(local)
        behind = r > far if inner else r < far
        stator_zone = r > d["r_gap"] if inner else r < d["r_gap"]
        yoke_end = r < d["r_yoke"] if inner else r > d["r_yoke"]
        stator = stator_zone & (tooth | behind) & yoke_end
        pole = np.pi / self.pairs
        kp = np.round((a - self.angle) / pole)
        ap = a - self.angle - kp * pole
        lp = np.column_stack([r * np.cos(ap), r * np.sin(ap)])
        full = self.motor.magnet.shape == "arc" and self.motor.magnet.arc > 0.999
        between = (r < d["r_magnet"]) & (r > d["r_base"]) if inner else (r > d["r_magnet"]) & (r < d["r_base"])
        magnet = between if full else Polygon(dense(self.magnet, self.gap / 20)).contains_points(lp)
        base = (
            d["r_base"] / np.cos(np.clip(ap, -1, 1))
            if self.motor.magnet.shape == "flat_base"
            else np.full_like(r, d["r_base"])
        )
        base = np.minimum(base, d["r_corner"])
        core = (r < base) & (r > d["r_core"]) if inner else (r > base) & (r < d["r_core"])
        core &= ~magnet
        iron = stator | core
        self.nu = np.where(iron, 1 / (MU0 * MU_IRON), 1 / MU0)
        self.nu[magnet] = 1 / (MU0 * self.motor.magnet.mu_r)
        direction = self.angle + kp * pole if self.motor.magnet.magnetization == "parallel" else a
        sign = np.where(np.mod(kp, 2) == 0, 1.0, -1.0)
        Br = self.motor.magnet.Br * (
            1 + self.motor.magnet.Br_temperature_coefficient * (self.motor.magnet.temperature - 20)
        )
        self.br = np.where(magnet, sign * Br, 0) * np.array([np.cos(direction), np.sin(direction)])
        top = d["r_gap"] + d["sign"] * (
            self.motor.stator.tip_height + (self.motor.stator.tip_taper if self.motor.stator.slot_opening else 0)
        )
        copper = ~stator & ((r > top) & (r < far) if inner else (r < top) & (r > far))
        slot = np.floor(a / pitch).astype(int) % self.slots  # slot s lies between tooth s and tooth s+1
        side = np.where(np.mod(a / pitch, 1) < 0.5, 0, 1)  # 0: beside tooth s, 1: beside tooth s+1
        self.half_slot = np.where(copper, 2 * slot + side, -1)


@BilinearForm
def stiffness(u, v, w):
    """Curl-curl form for A_z."""
    return w.nu * (u.grad[0] * v.grad[0] + u.grad[1] * v.grad[1])


@LinearForm
def magnets(v, w):
    """Remanence as a source."""
    return w.nu * (w.bx * v.grad[1] - w.by * v.grad[0])


@LinearForm
def over(v, w):
    """Integral over a region."""
    return w.where * v


class Solver:
    """Factored system on one section; flux linkages per turn and metre of the three phases."""

    def __init__(self, section):
        self.s = section
        self.basis = Basis(section.mesh, ElementTriP2(), intorder=4)
        self.K = asm(stiffness, self.basis, nu=section.nu[:, None])
        self.fixed = self.basis.get_dofs().flatten()
        self.free = np.setdiff1d(np.arange(self.K.shape[0]), self.fixed)
        self.lu = splu(condense(self.K, I=self.free, expand=False).tocsc())
        self.windings = self.make_windings()

    def make_windings(self):
        """Per phase the load vector of 1 A through every turn of one turn per coil (turns per metre of flux)."""
        mesh, slots = self.s.mesh, self.s.slots
        p = mesh.p[:, mesh.t]
        area = 0.5 * np.abs((p[0, 1] - p[0, 0]) * (p[1, 2] - p[1, 0]) - (p[0, 2] - p[0, 0]) * (p[1, 1] - p[1, 0]))
        coils = self.coil_sides(*self.s.motor.winding_layout())
        vectors = []
        for phase in range(3):
            density = np.zeros(len(area))
            for half in range(2 * slots):
                mask = self.s.half_slot == half
                density[mask] += coils[phase, half] / area[mask].sum()
            vectors.append(asm(over, self.basis, where=density[:, None]))
        return np.array(vectors)

    def coil_sides(self, sides, coils, span):
        """Coil sides per half slot: tooth coils beside their tooth, else spread over the slot."""
        slots = self.s.slots
        out = np.zeros((3, 2 * slots))
        if span == 1 and self.s.motor.winding.layers == 2:
            for coil, phase in enumerate(coils.astype(int)):
                out[abs(phase) - 1, 2 * coil + 1] += np.sign(phase)  # slot `coil`, beside tooth coil+1
                out[abs(phase) - 1, 2 * ((coil + 1) % slots)] -= np.sign(phase)
        else:
            out[:, 0::2] = out[:, 1::2] = 0.5 * sides
        return out

    def solve(self, load):
        x = np.zeros(self.K.shape[0])
        x[self.free] = self.lu.solve(load[self.free])
        return x

    def open_circuit(self):
        """Linkage per turn and metre of the magnets with the phases."""
        return self.windings @ self.solve(
            asm(magnets, self.basis, nu=self.s.nu[:, None], bx=self.s.br[0][:, None], by=self.s.br[1][:, None])
        )

    def inductance(self):
        """Synchronous inductance per turn^2 and metre: self minus mutual, phase a excited."""
        own = self.windings @ self.solve(self.windings[0])
        return own[0] - 0.5 * (own[1] + own[2]), own


def study_motor(motor):
    """psi_pm, self, mutual and synchronous inductance of a motor by finite elements."""
    p = int(motor.rotor.pole_pairs)
    turns, paths, L = motor.winding.turns, motor.winding.parallel_paths, motor.stator.length
    samples = []
    for k in range(POSITIONS):
        electrical = 2 * np.pi / 12 * k + 0.1
        solver = Solver(Section(motor, electrical / p))
        link = solver.open_circuit() * turns / paths * L
        for phase in range(3):
            samples.append((electrical - 2 * np.pi / 3 * phase, link[phase]))
            samples.append((electrical - 2 * np.pi / 3 * phase + np.pi, -link[phase]))
        if k == 0:
            ls, own = solver.inductance()
            scale = (turns / paths) ** 2 * L
            dofs = solver.K.shape[0]
    t, y = np.array(samples).T
    fundamental = [2 * np.mean(y * np.exp(1j * sign * t)) for sign in (1, -1)]
    psi = max(np.abs(fundamental))
    return {
        "psi_pm": psi,
        "L_2d": ls * scale,
        "L_self": own[0] * scale,
        "M_mutual": 0.5 * (own[1] + own[2]) * scale,
        "dofs": dofs,
    }


if __name__ == "__main__":
    store = Path(__file__).with_name("results.json")
    results = json.loads(store.read_text()) if store.exists() else {}
    for name in sys.argv[1:] or DEFAULT:
        results[name] = {k: float(f"{v:.6g}") for k, v in study_motor(pp.load(name)).items()}
        d = pp.load(name).derive()
        r = results[name]
        print(
            f"{name}: psi {d.psi_pm / r['psi_pm'] - 1:+.2%}  L {(d.L_gap + d.L_slot) / r['L_2d'] - 1:+.2%}  {r}",
            flush=True,
        )
    store.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
