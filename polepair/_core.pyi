# made by python -m polepair.design.generate from csrc/include/polepair/*.def; do not edit
from collections.abc import Callable, Sequence
from typing import Any, SupportsFloat, final, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import disjoint_base

version: str

@final
class Stator:
    """stator core, teeth and slots"""

    @property
    def slots(self) -> int:
        """number of slots; 0 is a slotless (air-gap) winding [0 to 240; default 12]"""
    @slots.setter
    def slots(self, value: SupportsFloat) -> None: ...
    @property
    def core(self) -> str:
        """core material: iron, or air for a coreless machine [air, iron; default iron]"""
    @core.setter
    def core(self, value: str | SupportsFloat) -> None: ...
    @property
    def gap_radius(self) -> float:
        """radius of the stator surface that faces the air gap [0.0005 to 2 m; default 0.0225]"""
    @gap_radius.setter
    def gap_radius(self, value: SupportsFloat) -> None: ...
    @property
    def yoke_radius(self) -> float:
        """other radius of the stator core, behind the yoke [0.0002 to 3 m; default 0.0075]"""
    @yoke_radius.setter
    def yoke_radius(self, value: SupportsFloat) -> None: ...
    @property
    def length(self) -> float:
        """active (stack) length [0.0005 to 2 m; default 0.012]"""
    @length.setter
    def length(self, value: SupportsFloat) -> None: ...
    @property
    def slot_shape(self) -> str:
        """which sides are straight: the tooth's flanks parallel, or the slot's sides radial [parallel_tooth, radial_slot; default parallel_tooth]"""
    @slot_shape.setter
    def slot_shape(self, value: str | SupportsFloat) -> None: ...
    @property
    def tooth_width(self) -> float:
        """tooth body width; for radial_slot the tooth's arc at the gap radius [0.0002 to 0.5 m; default 0.0045]"""
    @tooth_width.setter
    def tooth_width(self, value: SupportsFloat) -> None: ...
    @property
    def slot_opening(self) -> float:
        """width of the slot opening at the gap; 0 is an open slot without tooth tips [0 to 0.5 m; default 0.0018]"""
    @slot_opening.setter
    def slot_opening(self, value: SupportsFloat) -> None: ...
    @property
    def tip_height(self) -> float:
        """straight height of the tooth tip (of the copper-free part of an open slot) [0 to 0.1 m; default 0.0008]"""
    @tip_height.setter
    def tip_height(self, value: SupportsFloat) -> None: ...
    @property
    def tip_taper(self) -> float:
        """height of the tooth tip's slanted part [0 to 0.1 m; default 0.0007]"""
    @tip_taper.setter
    def tip_taper(self, value: SupportsFloat) -> None: ...
    @property
    def slot_depth(self) -> float:
        """radial depth from the gap radius to the slot bottom [0.0002 to 1 m; default 0.0115]"""
    @slot_depth.setter
    def slot_depth(self, value: SupportsFloat) -> None: ...
    @property
    def winding_thickness(self) -> float:
        """radial thickness of an air-gap winding (slots = 0), counted from the gap radius into the gap [0 to 0.2 m; default 0.0]"""
    @winding_thickness.setter
    def winding_thickness(self, value: SupportsFloat) -> None: ...
    @property
    def stacking_factor(self) -> float:
        """iron share of the stack length [0.5 to 1; default 0.96]"""
    @stacking_factor.setter
    def stacking_factor(self, value: SupportsFloat) -> None: ...

@final
class Rotor:
    """rotor, shaft, bearings and friction"""

    @property
    def topology(self) -> str:
        """rotor inside or outside the stator [inner, outer; default outer]"""
    @topology.setter
    def topology(self, value: str | SupportsFloat) -> None: ...
    @property
    def pole_pairs(self) -> int:
        """number of pole pairs [1 to 120; default 7]"""
    @pole_pairs.setter
    def pole_pairs(self, value: SupportsFloat) -> None: ...
    @property
    def core(self) -> str:
        """core material behind the magnets: iron, or air (plastic) [air, iron; default iron]"""
    @core.setter
    def core(self, value: str | SupportsFloat) -> None: ...
    @property
    def gap(self) -> float:
        """mechanical gap between the magnets and the stator (or its air-gap winding) at the pole centre [2e-05 to 0.1 m; default 0.0005]"""
    @gap.setter
    def gap(self, value: SupportsFloat) -> None: ...
    @property
    def core_thickness(self) -> float:
        """radial thickness of the rotor core behind the magnets [0 to 1 m; default 0.002]"""
    @core_thickness.setter
    def core_thickness(self, value: SupportsFloat) -> None: ...
    @property
    def shaft_radius(self) -> float:
        """shaft radius; 0 means no shaft [0 to 1 m; default 0.0025]"""
    @shaft_radius.setter
    def shaft_radius(self, value: SupportsFloat) -> None: ...
    @property
    def shaft_length(self) -> float:
        """shaft length [0 to 5 m; default 0.04]"""
    @shaft_length.setter
    def shaft_length(self, value: SupportsFloat) -> None: ...
    @property
    def web_thickness(self) -> float:
        """axial thickness of the disc that joins the core to the shaft; 0 means none [0 to 0.5 m; default 0.002]"""
    @web_thickness.setter
    def web_thickness(self, value: SupportsFloat) -> None: ...
    @property
    def bearing_width(self) -> float:
        """axial width of each of the two bearings; 0 means none [0 to 0.5 m; default 0.004]"""
    @bearing_width.setter
    def bearing_width(self, value: SupportsFloat) -> None: ...
    @property
    def bearing_radius(self) -> float:
        """outer radius of the bearings [0 to 1 m; default 0.0065]"""
    @bearing_radius.setter
    def bearing_radius(self, value: SupportsFloat) -> None: ...
    @property
    def viscous_friction(self) -> float:
        """viscous friction torque over speed [0 to 10 N*m*s; default 0.0]"""
    @viscous_friction.setter
    def viscous_friction(self, value: SupportsFloat) -> None: ...
    @property
    def coulomb_friction(self) -> float:
        """Coulomb friction torque (regularised below 1 rad/s) [0 to 100 N*m; default 0.0]"""
    @coulomb_friction.setter
    def coulomb_friction(self, value: SupportsFloat) -> None: ...

@final
class Magnet:
    """permanent magnets"""

    @property
    def Br(self) -> float:
        """remanence at 20 degC [0.05 to 1.6 T; default 1.2]"""
    @Br.setter
    def Br(self, value: SupportsFloat) -> None: ...
    @property
    def mu_r(self) -> float:
        """recoil permeability [1 to 2; default 1.05]"""
    @mu_r.setter
    def mu_r(self, value: SupportsFloat) -> None: ...
    @property
    def thickness(self) -> float:
        """radial thickness at the pole centre [0.0002 to 0.2 m; default 0.0025]"""
    @thickness.setter
    def thickness(self, value: SupportsFloat) -> None: ...
    @property
    def shape(self) -> str:
        """ring sector, or bread loaf with a flat base and parallel sides [arc, flat_base; default arc]"""
    @shape.setter
    def shape(self, value: str | SupportsFloat) -> None: ...
    @property
    def arc(self) -> float:
        """pole arc over pole pitch (shape arc) [0.1 to 1; default 0.85]"""
    @arc.setter
    def arc(self, value: SupportsFloat) -> None: ...
    @property
    def width(self) -> float:
        """magnet width (shape flat_base) [0.0002 to 1 m; default 0.005]"""
    @width.setter
    def width(self, value: SupportsFloat) -> None: ...
    @property
    def magnetization(self) -> str:
        """direction of magnetisation [radial, parallel; default radial]"""
    @magnetization.setter
    def magnetization(self, value: str | SupportsFloat) -> None: ...
    @property
    def length(self) -> float:
        """axial length; 0 means the stack length [0 to 2 m; default 0.0]"""
    @length.setter
    def length(self, value: SupportsFloat) -> None: ...
    @property
    def Br_temperature_coefficient(self) -> float:
        """relative change of Br per kelvin [-0.01 to 0.01 1/K; default -0.0011]"""
    @Br_temperature_coefficient.setter
    def Br_temperature_coefficient(self, value: SupportsFloat) -> None: ...
    @property
    def temperature(self) -> float:
        """magnet temperature [-60 to 300 degC; default 20.0]"""
    @temperature.setter
    def temperature(self, value: SupportsFloat) -> None: ...

@final
class Winding:
    """three-phase winding"""

    @property
    def turns(self) -> int:
        """turns per coil [1 to 10000; default 10]"""
    @turns.setter
    def turns(self, value: SupportsFloat) -> None: ...
    @property
    def layers(self) -> int:
        """coil sides per slot [1 to 2; default 2]"""
    @layers.setter
    def layers(self, value: SupportsFloat) -> None: ...
    @property
    def coil_span(self) -> int:
        """coil span in slots; 0 means the pole pitch, rounded [0 to 120; default 0]"""
    @coil_span.setter
    def coil_span(self, value: SupportsFloat) -> None: ...
    @property
    def parallel_paths(self) -> int:
        """parallel paths per phase [1 to 120; default 1]"""
    @parallel_paths.setter
    def parallel_paths(self, value: SupportsFloat) -> None: ...
    @property
    def connection(self) -> str:
        """connection; delta is turned into its equivalent star [star, delta; default star]"""
    @connection.setter
    def connection(self, value: str | SupportsFloat) -> None: ...
    @property
    def strands(self) -> int:
        """wires in hand [1 to 1000; default 1]"""
    @strands.setter
    def strands(self, value: SupportsFloat) -> None: ...
    @property
    def wire_diameter(self) -> float:
        """bare diameter of one wire [1e-05 to 0.02 m; default 0.0006]"""
    @wire_diameter.setter
    def wire_diameter(self, value: SupportsFloat) -> None: ...
    @property
    def end_length(self) -> float:
        """end winding: half turn length = L + 2 L_ew [0 to 1 m; default 0.005]"""
    @end_length.setter
    def end_length(self, value: SupportsFloat) -> None: ...
    @property
    def resistivity(self) -> float:
        """conductor resistivity at 20 degC [1e-09 to 1e-06 ohm*m; default 1.73e-08]"""
    @resistivity.setter
    def resistivity(self, value: SupportsFloat) -> None: ...
    @property
    def temperature_coefficient(self) -> float:
        """relative change of resistivity per kelvin [0 to 0.02 1/K; default 0.00393]"""
    @temperature_coefficient.setter
    def temperature_coefficient(self, value: SupportsFloat) -> None: ...
    @property
    def temperature(self) -> float:
        """winding temperature [-60 to 400 degC; default 20.0]"""
    @temperature.setter
    def temperature(self, value: SupportsFloat) -> None: ...

@final
class Material:
    """densities and iron loss"""

    @property
    def density_stator(self) -> float:
        """stator core density [100 to 25000 kg/m^3; default 7650.0]"""
    @density_stator.setter
    def density_stator(self, value: SupportsFloat) -> None: ...
    @property
    def density_rotor(self) -> float:
        """rotor core, web and shaft density [100 to 25000 kg/m^3; default 7850.0]"""
    @density_rotor.setter
    def density_rotor(self, value: SupportsFloat) -> None: ...
    @property
    def density_magnet(self) -> float:
        """magnet density [100 to 25000 kg/m^3; default 7500.0]"""
    @density_magnet.setter
    def density_magnet(self, value: SupportsFloat) -> None: ...
    @property
    def density_conductor(self) -> float:
        """conductor density [100 to 25000 kg/m^3; default 8900.0]"""
    @density_conductor.setter
    def density_conductor(self, value: SupportsFloat) -> None: ...
    @property
    def density_housing(self) -> float:
        """housing density [100 to 25000 kg/m^3; default 2700.0]"""
    @density_housing.setter
    def density_housing(self, value: SupportsFloat) -> None: ...
    @property
    def mu_r(self) -> float:
        """relative permeability of the iron, unsaturated [10 to 100000; default 2500.0]"""
    @mu_r.setter
    def mu_r(self, value: SupportsFloat) -> None: ...
    @property
    def hysteresis(self) -> float:
        """Bertotti hysteresis coefficient k_h f B^2 [0 to 10 W*s/(T^2*kg); default 0.02]"""
    @hysteresis.setter
    def hysteresis(self, value: SupportsFloat) -> None: ...
    @property
    def eddy(self) -> float:
        """Bertotti classical eddy coefficient k_e (f B)^2 [0 to 1 W*s^2/(T^2*kg); default 6e-05]"""
    @eddy.setter
    def eddy(self, value: SupportsFloat) -> None: ...
    @property
    def excess(self) -> float:
        """Bertotti excess coefficient k_x (f B)^1.5 [0 to 1 W*s^1.5/(T^1.5*kg); default 0.0]"""
    @excess.setter
    def excess(self, value: SupportsFloat) -> None: ...
    @property
    def housing_thickness(self) -> float:
        """wall of the housing (inner rotor) or thickness of the base plate (outer rotor); 0 means none [0 to 0.2 m; default 0.0015]"""
    @housing_thickness.setter
    def housing_thickness(self, value: SupportsFloat) -> None: ...

@final
class Datasheet:
    """maker's figures, used instead of the geometry where R_ll or R_phase is given"""

    @property
    def R_ll(self) -> float:
        """resistance line to line, at 20 degC [0 to 10000 ohm; default 0.0]"""
    @R_ll.setter
    def R_ll(self, value: SupportsFloat) -> None: ...
    @property
    def R_phase(self) -> float:
        """resistance of one (equivalent star) phase, at 20 degC [0 to 10000 ohm; default 0.0]"""
    @R_phase.setter
    def R_phase(self, value: SupportsFloat) -> None: ...
    @property
    def L_ll(self) -> float:
        """inductance line to line [0 to 100 H; default 0.0]"""
    @L_ll.setter
    def L_ll(self, value: SupportsFloat) -> None: ...
    @property
    def Ld(self) -> float:
        """d-axis inductance of one phase [0 to 100 H; default 0.0]"""
    @Ld.setter
    def Ld(self, value: SupportsFloat) -> None: ...
    @property
    def Lq(self) -> float:
        """q-axis inductance of one phase; 0 means Ld [0 to 100 H; default 0.0]"""
    @Lq.setter
    def Lq(self, value: SupportsFloat) -> None: ...
    @property
    def Kt_block(self) -> float:
        """torque per bus ampere with block commutation (as on most BLDC sheets) [0 to 1000 N*m/A; default 0.0]"""
    @Kt_block.setter
    def Kt_block(self, value: SupportsFloat) -> None: ...
    @property
    def Kt_peak(self) -> float:
        """torque per ampere of sinusoidal phase current, peak value [0 to 1000 N*m/A; default 0.0]"""
    @Kt_peak.setter
    def Kt_peak(self, value: SupportsFloat) -> None: ...
    @property
    def Kt_rms(self) -> float:
        """torque per ampere of sinusoidal phase current, rms value [0 to 1000 N*m/A; default 0.0]"""
    @Kt_rms.setter
    def Kt_rms(self, value: SupportsFloat) -> None: ...
    @property
    def Ke_ll_peak(self) -> float:
        """EMF line to line, peak, over mechanical speed [0 to 1000 V*s; default 0.0]"""
    @Ke_ll_peak.setter
    def Ke_ll_peak(self, value: SupportsFloat) -> None: ...
    @property
    def Ke_ll_rms(self) -> float:
        """EMF line to line, rms of a sine, over mechanical speed [0 to 1000 V*s; default 0.0]"""
    @Ke_ll_rms.setter
    def Ke_ll_rms(self, value: SupportsFloat) -> None: ...
    @property
    def Kv(self) -> float:
        """speed per volt of line-to-line peak EMF [0 to 100000 rad/s/V; default 0.0]"""
    @Kv.setter
    def Kv(self, value: SupportsFloat) -> None: ...
    @property
    def psi_pm(self) -> float:
        """permanent-magnet flux linkage of one phase, peak [0 to 100 Wb; default 0.0]"""
    @psi_pm.setter
    def psi_pm(self, value: SupportsFloat) -> None: ...
    @property
    def J(self) -> float:
        """rotor inertia [0 to 1000 kg*m^2; default 0.0]"""
    @J.setter
    def J(self, value: SupportsFloat) -> None: ...
    @property
    def mass(self) -> float:
        """motor mass [0 to 100000 kg; default 0.0]"""
    @mass.setter
    def mass(self, value: SupportsFloat) -> None: ...
    @property
    def I_no_load(self) -> float:
        """no-load bus current; with n_no_load it gives viscous friction [0 to 10000 A; default 0.0]"""
    @I_no_load.setter
    def I_no_load(self, value: SupportsFloat) -> None: ...
    @property
    def n_no_load(self) -> float:
        """no-load speed [0 to 100000 rad/s; default 0.0]"""
    @n_no_load.setter
    def n_no_load(self, value: SupportsFloat) -> None: ...
    @property
    def emf(self) -> str:
        """EMF shape: sine, or trapezoid with a flat top of 120 degrees [sine, trapezoid; default sine]"""
    @emf.setter
    def emf(self, value: str | SupportsFloat) -> None: ...

@final
class Drive:
    """inverter and limits"""

    @property
    def kind(self) -> str:
        """field-oriented control, or six-step (block) commutation [foc, six_step; default foc]"""
    @kind.setter
    def kind(self, value: str | SupportsFloat) -> None: ...
    @property
    def u_dc(self) -> float:
        """DC bus voltage [0.1 to 10000 V; default 24.0]"""
    @u_dc.setter
    def u_dc(self, value: SupportsFloat) -> None: ...
    @property
    def diode_drop(self) -> float:
        """forward drop of the freewheeling diodes (six_step) [0 to 10 V; default 0.7]"""
    @diode_drop.setter
    def diode_drop(self, value: SupportsFloat) -> None: ...
    @property
    def period(self) -> float:
        """control period [1e-07 to 0.1 s; default 0.0001]"""
    @period.setter
    def period(self, value: SupportsFloat) -> None: ...
    @property
    def substeps(self) -> int:
        """RK4 steps per control period [1 to 10000; default 4]"""
    @substeps.setter
    def substeps(self, value: SupportsFloat) -> None: ...
    @property
    def rtol(self) -> float:
        """relative tolerance of adaptive steps (Dormand-Prince); 0 means fixed substeps [0 to 0.01; default 0.0]"""
    @rtol.setter
    def rtol(self, value: SupportsFloat) -> None: ...
    @property
    def i_max(self) -> float:
        """limit of the phase current, peak [0.001 to 100000 A; default 10.0]"""
    @i_max.setter
    def i_max(self, value: SupportsFloat) -> None: ...

@final
class Control:
    """speed and current control"""

    @property
    def speed_ref(self) -> float:
        """speed reference [-100000 to 100000 rad/s; default 200.0]"""
    @speed_ref.setter
    def speed_ref(self, value: SupportsFloat) -> None: ...
    @property
    def speed_ramp(self) -> float:
        """slope of the speed reference; 0 means a step [0 to 1e+09 rad/s^2; default 0.0]"""
    @speed_ramp.setter
    def speed_ramp(self, value: SupportsFloat) -> None: ...
    @property
    def alpha_c(self) -> float:
        """bandwidth of the current control [1 to 1e+06 rad/s; default 1884.9555921538758]"""
    @alpha_c.setter
    def alpha_c(self, value: SupportsFloat) -> None: ...
    @property
    def alpha_s(self) -> float:
        """bandwidth of the speed control [0.01 to 100000 rad/s; default 25.132741228718345]"""
    @alpha_s.setter
    def alpha_s(self, value: SupportsFloat) -> None: ...
    @property
    def torque_max(self) -> float:
        """torque limit; 0 means what i_max gives [0 to 1e+06 N*m; default 0.0]"""
    @torque_max.setter
    def torque_max(self, value: SupportsFloat) -> None: ...
    @property
    def strategy(self) -> str:
        """current reference: id = 0, or maximum torque per ampere [id0, mtpa; default id0]"""
    @strategy.setter
    def strategy(self, value: str | SupportsFloat) -> None: ...
    @property
    def duty(self) -> float:
        """share of the bus voltage (six_step without speed control) [0 to 1; default 1.0]"""
    @duty.setter
    def duty(self, value: SupportsFloat) -> None: ...
    @property
    def closed_loop(self) -> str:
        """six_step: a speed controller sets the duty [no, yes; default no]"""
    @closed_loop.setter
    def closed_loop(self, value: str | SupportsFloat) -> None: ...

@final
class Load:
    """mechanical load"""

    @property
    def J(self) -> float:
        """inertia of the load, at the motor shaft [0 to 1e+06 kg*m^2; default 0.0]"""
    @J.setter
    def J(self, value: SupportsFloat) -> None: ...
    @property
    def torque(self) -> float:
        """constant load torque from t_on on [-1e+06 to 1e+06 N*m; default 0.0]"""
    @torque.setter
    def torque(self, value: SupportsFloat) -> None: ...
    @property
    def t_on(self) -> float:
        """time at which the constant torque sets in [0 to 1e+06 s; default 0.0]"""
    @t_on.setter
    def t_on(self, value: SupportsFloat) -> None: ...
    @property
    def coulomb(self) -> float:
        """Coulomb load torque, against the motion [0 to 1e+06 N*m; default 0.0]"""
    @coulomb.setter
    def coulomb(self, value: SupportsFloat) -> None: ...
    @property
    def viscous(self) -> float:
        """load torque proportional to speed [0 to 1e+06 N*m*s; default 0.0]"""
    @viscous.setter
    def viscous(self, value: SupportsFloat) -> None: ...
    @property
    def quadratic(self) -> float:
        """load torque proportional to speed squared (fan, propeller) [0 to 1e+06 N*m*s^2; default 0.0]"""
    @quadratic.setter
    def quadratic(self, value: SupportsFloat) -> None: ...

@disjoint_base
class Params:
    """Every parameter of a twin, by group."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Params: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]
    @property
    def stator(self) -> Stator:
        """stator core, teeth and slots"""
    @property
    def rotor(self) -> Rotor:
        """rotor, shaft, bearings and friction"""
    @property
    def magnet(self) -> Magnet:
        """permanent magnets"""
    @property
    def winding(self) -> Winding:
        """three-phase winding"""
    @property
    def material(self) -> Material:
        """densities and iron loss"""
    @property
    def datasheet(self) -> Datasheet:
        """maker's figures, used instead of the geometry where R_ll or R_phase is given"""
    @property
    def drive(self) -> Drive:
        """inverter and limits"""
    @property
    def control(self) -> Control:
        """speed and current control"""
    @property
    def load(self) -> Load:
        """mechanical load"""
    def derive(self) -> Derived: ...
    def get(self, name: str, /) -> float | int | str: ...
    def set(self, name: str, value: str | SupportsFloat, /) -> None: ...
    def update(self, other: Params, /) -> None: ...
    def values(self) -> NDArray[np.float64]: ...
    def outline(self, part: str, /) -> NDArray[np.float64]: ...
    def dims(self) -> dict[str, float]: ...
    def masses(self) -> dict[str, dict[str, float]]: ...
    def winding_layout(self) -> tuple[NDArray[np.int8], NDArray[np.int8], int]: ...

@final
class Derived:
    """Constants of a machine, per equivalent star phase, peak values."""

    @property
    def pole_pairs(self) -> float:
        """pole pairs [1]"""
    @property
    def Rs(self) -> float:
        """phase resistance at the winding temperature [ohm]"""
    @property
    def Ld(self) -> float:
        """d-axis synchronous inductance [H]"""
    @property
    def Lq(self) -> float:
        """q-axis synchronous inductance [H]"""
    @property
    def psi_pm(self) -> float:
        """fundamental flux linkage of the magnets with one phase [Wb]"""
    @property
    def Kt(self) -> float:
        """torque per ampere of phase current, peak, at id = 0 [N*m/A]"""
    @property
    def Kt_block(self) -> float:
        """torque per bus ampere with block commutation [N*m/A]"""
    @property
    def Ke(self) -> float:
        """EMF line to line, peak, over mechanical speed [V*s]"""
    @property
    def Kv(self) -> float:
        """speed per volt of line-to-line peak EMF [rad/s/V]"""
    @property
    def Km(self) -> float:
        """motor constant: torque over the root of the copper loss [N*m/W^0.5]"""
    @property
    def J(self) -> float:
        """rotor inertia about the shaft [kg*m^2]"""
    @property
    def B(self) -> float:
        """viscous friction of the motor [N*m*s]"""
    @property
    def T_coulomb(self) -> float:
        """Coulomb friction of the motor [N*m]"""
    @property
    def emf_trapezoid(self) -> float:
        """flat-top EMF of one phase over speed (six-step); 0 where the EMF is a sine [V*s]"""
    @property
    def psi_5(self) -> float:
        """5th harmonic of the flux linkage, signed against the fundamental [Wb]"""
    @property
    def psi_7(self) -> float:
        """7th harmonic of the flux linkage, signed against the fundamental [Wb]"""
    @property
    def winding_factor(self) -> float:
        """winding factor of the fundamental [1]"""
    @property
    def differential_leakage(self) -> float:
        """differential leakage of the winding (Goerges polygon) [1]"""
    @property
    def series_turns(self) -> float:
        """series turns per phase [1]"""
    @property
    def carter(self) -> float:
        """Carter's factor [1]"""
    @property
    def B_gap(self) -> float:
        """fundamental of the radial field at the stator surface, peak [T]"""
    @property
    def B_tooth(self) -> float:
        """peak flux density of a tooth [T]"""
    @property
    def B_yoke(self) -> float:
        """peak flux density of the stator yoke [T]"""
    @property
    def L_gap(self) -> float:
        """synchronous inductance of the air gap field, all harmonics [H]"""
    @property
    def L_slot(self) -> float:
        """synchronous slot leakage inductance [H]"""
    @property
    def L_end(self) -> float:
        """end-winding leakage inductance [H]"""
    @property
    def L_magnetizing(self) -> float:
        """part of L_gap that belongs to the fundamental [H]"""
    @property
    def L_self(self) -> float:
        """self inductance of one phase [H]"""
    @property
    def M_mutual(self) -> float:
        """mutual inductance of two phases [H]"""
    @property
    def turn_length(self) -> float:
        """mean length of a turn [m]"""
    @property
    def slot_fill(self) -> float:
        """copper share of the slot (or air-gap winding) area [1]"""
    @property
    def mass(self) -> float:
        """mass of all parts [kg]"""
    @property
    def mass_stator(self) -> float:
        """mass of the stator core [kg]"""
    @property
    def mass_rotor(self) -> float:
        """mass of the rotor: core, web, magnets, shaft [kg]"""
    @property
    def mass_magnets(self) -> float:
        """mass of the magnets [kg]"""
    @property
    def mass_winding(self) -> float:
        """mass of the conductor [kg]"""
    @property
    def mass_housing(self) -> float:
        """mass of the housing and the bearings [kg]"""
    @property
    def mass_teeth(self) -> float:
        """mass of the stator teeth [kg]"""
    @property
    def J_transverse(self) -> float:
        """rotor inertia about a diameter through its centre of mass [kg*m^2]"""
    @property
    def rotor_z(self) -> float:
        """axial position of the rotor's centre of mass, from the middle of the stack [m]"""
    @property
    def tau_m(self) -> float:
        """mechanical time constant [s]"""
    @property
    def tau_e(self) -> float:
        """electrical time constant Lq/Rs [s]"""
    def as_dict(self) -> dict[str, float]: ...
    def torque_limit(self, omega_m: ArrayLike, i_max: float, u_max: float, /) -> NDArray[np.float64]: ...
    def mtpa_id(self, amplitude: float, /) -> float: ...
    def operating_point(self, id: float, iq: float, omega_m: float, /) -> dict[str, float]: ...
    def iron_loss(self, params: Params, omega_m: float, /) -> float: ...
    def reach(self, params: Params, omega_m: ArrayLike, torque: ArrayLike, /) -> NDArray[np.int8]: ...
    def idle(self, params: Params, /) -> list[int]: ...
    @overload
    def copper_loss(self, id: float, iq: float, /) -> float: ...
    @overload
    def copper_loss(self, id: ArrayLike, iq: ArrayLike, /) -> NDArray[np.float64]: ...
    @overload
    def torque(self, id: float, iq: float, /) -> float: ...
    @overload
    def torque(self, id: ArrayLike, iq: ArrayLike, /) -> NDArray[np.float64]: ...

@final
class Twin:
    """Model and state of a twin."""

    def __new__(cls, params: Params, nominal: Derived | None = None) -> Twin: ...
    @property
    def period(self) -> float: ...
    @property
    def sample(self) -> int: ...
    def run(self, rows: int, every: int, stop: bool, channels: ArrayLike, out: NDArray[np.float64] | None = None, /) -> NDArray[np.float64]: ...
    def step(self, speed_ref: float | None = None, load_torque: float | None = None, /) -> NDArray[np.float64]: ...
    def reset(self) -> None: ...
    def fork(self) -> Twin: ...
    def run_fine(self, periods: int, fine: int, stop: bool, channels: ArrayLike, out: NDArray[np.float64] | None = None, /) -> NDArray[np.float64]: ...
    def ask(self, speed_ref: float, load_torque: float, /) -> None: ...
    def place(self, id: float, iq: float, omega_m: float, theta_m: float, torque: float, /) -> None: ...
    def warnings(self) -> int: ...

@final
class Journal:
    """Raw messages in mapped segment files."""

    def __new__(cls, folder: str, segment_bytes: int, spare_bytes: int, after: int) -> Journal: ...
    def sync(self) -> None: ...

@final
class Stream:
    """Messages of one source, decoded into columns."""

    def __new__(cls, format: int, channels: int, keys: Sequence[tuple[str, int]], aliases: Sequence[tuple[int, int]], scales: Sequence[float], layout: tuple[Any, ...] | None, capacity: int, size_limit: int, seq_per_sample: bool, time_unit: float) -> Stream: ...
    @property
    def head(self) -> int: ...
    @property
    def floor(self) -> int: ...
    def push(self, message: bytes, arrival: int | None = None, flags: int = 0, /) -> bool: ...
    def wait(self, seen: int, seconds: float, /) -> int: ...
    def column(self, column: int, first: int, last: int, /) -> NDArray[Any]: ...
    def counts(self) -> dict[str, int]: ...
    def examples(self) -> dict[str, bytes]: ...
    def journal(self, journal: Journal | None, about: bytes, /) -> None: ...
    def describe(self, about: bytes, /) -> bytes: ...
    def learn(self, description: bytes, marks: bytes, /) -> None: ...
    def reformat(self, other: Stream, /) -> None: ...
    def handle(self) -> Any: ...

@final
class Decoder:
    """Journaled messages into rows."""

    def __new__(cls, about: bytes, description: bytes | None = None, marks: bytes | None = None) -> Decoder: ...
    def read(self, segment: Any, offset: int, rows: int, closed: bool, number: int, /) -> tuple[int, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], list[NDArray[np.float64]], int, int, str]: ...
    def state(self) -> bytes: ...
    def marks(self) -> bytes: ...
    def new_marks(self) -> bytes: ...

@final
class Observer:
    """Kalman filter of a drive."""

    def __new__(cls, params: Params, current: float = 0.0, adapt: bool = True, theta_e: float = 0.0, sigma: float = ...) -> Observer: ...
    def run(self, time: ArrayLike, u_alpha: ArrayLike, u_beta: ArrayLike, i_alpha: ArrayLike, i_beta: ArrayLike, estimates: ArrayLike, out: NDArray[np.float64] | None = None, unscented: bool = False, /) -> NDArray[np.float64]: ...
    def predict(self, u_alpha: float, u_beta: float, dt: float, /) -> None: ...
    def coast(self, dt: float, /) -> None: ...
    def currents(self, i_alpha: float, i_beta: float, /) -> None: ...
    def speed(self, omega_m: float, sigma: float, /) -> None: ...
    def angle(self, theta_m: float, sigma: float, /) -> None: ...
    def bus(self, i_bus: float, u_dc: float, sigma: float, /) -> None: ...
    def estimates(self) -> NDArray[np.float64]: ...
    def fork(self) -> Observer: ...

def frame(values: ArrayLike, time: int, step: int, seq: int, boot: int = 0, encoding: int = 0, scales: ArrayLike | None = None, dropped: int = 0, flags: int = 0) -> bytes: ...
def frame_header(frame: bytes, /) -> dict[str, int]: ...
def cobs_encode(packet: bytes, /) -> bytes: ...
def cobs_decode(line: bytes, /) -> bytes: ...
def crc32c(*buffers: Any) -> int: ...
def line_protocol(head: bytes, columns: Sequence[tuple[bytes, ArrayLike]], time: ArrayLike, /) -> bytes: ...
def estimate_rows() -> list[tuple[str, str, str]]: ...
def refusal_rows() -> list[tuple[str, str]]: ...
def parameter_rows() -> list[tuple[str, str, str, str, str, float | int | str, float, float, float, str]]: ...
def group_rows() -> list[tuple[str, str]]: ...
def derived_rows() -> list[tuple[str, str, str, str]]: ...
def channel_rows() -> list[tuple[str, str, str]]: ...
def status_rows() -> list[tuple[str, str]]: ...
def warning_rows() -> list[tuple[str, str, str]]: ...
def run_samples(t_end: float, period: float, /) -> int: ...
def isa() -> str: ...
def force_isa(name: str | None, /) -> bool: ...
def naive_gap_field(Br: float, mu_r: float, thickness: float, gap: float, carter: float, arc: float, /) -> float: ...
def sweep(params: Params, columns: ArrayLike, values: ArrayLike, t_end: float, outputs: ArrayLike, retune: bool = False, threads: int = 0, progress: Callable[[int], object] | None = None, mode: int = 0, trace: tuple[ArrayLike, int, int] | None = None) -> tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.int16], bool, NDArray[np.float64] | None]: ...
def sweep_derive(params: Params, columns: ArrayLike, values: ArrayLike, fields: Sequence[int] | ArrayLike, /) -> tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.int16]]: ...
